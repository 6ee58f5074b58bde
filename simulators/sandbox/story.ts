import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { socketPath } from './daemon-configs.ts';
import type { Daemon, DaemonName } from './daemon-process.ts';
import { deliveredFiles } from './delivered-files.ts';
import { deviceKeys } from './device-keys.ts';
import {
  certificateStep,
  enrolmentStep,
  factoryStep,
  launchDaemon,
  modulesStep,
  provisioningStep,
  startStep,
} from './device-steps.ts';
import { hostStep } from './host-step.ts';
import type { EachDaemon, Outcome } from './outcome.ts';
import { makePlan } from './plan.ts';
import { hostIsOther, type Scene, type StoryTools } from './scene.ts';
import { readSettings } from './settings.ts';
import { type Way, wayOf } from './ways.ts';
import { openWorld } from './world.ts';

function eachDaemon<T>(way: Way, make: (name: DaemonName) => T): EachDaemon<T> {
  const tpmd = way.attestation === 'tpm' ? { tpmd: make('tpmd') } : {};
  return { keyd: make('keyd'), certd: make('certd'), identityd: make('identityd'), ...tpmd };
}

/**
 * Tells the whole story of one start, from an empty machine to an application that talks to the hub.
 *
 * @param daemons filled as daemons start
 * @throws StepFailure for the first step that does not succeed
 */
export async function tellStory(tools: StoryTools, daemons: Map<DaemonName, Daemon>): Promise<Outcome> {
  const { options, machine, folders, steps, ownUid, host, now } = tools;
  const begun = now();
  const earlier = await readSettings(folders.cloud);
  const plan = makePlan(options, machine, earlier);
  for (const note of plan.notes) steps.note(note);
  const way = wayOf(plan.provisioning);
  const { cloud, settings, token, tpm } = await openWorld(tools, plan, way, earlier);
  const deliveries = deliveredFiles(folders);
  const facts = { way, folders, token, tpm, cloud: settings.cloud, deliveries, daemonUid: ownUid, host };
  const scene: Scene = { ...tools, facts, daemons };

  // certd asks keyd for keys when it starts with identities of an earlier start; with none the two start side by side
  for (const name of earlier ? [] : (['keyd', 'certd'] as const)) await launchDaemon(scene, name);
  if (way.attestation === 'tpm') await launchDaemon(scene, 'tpmd');
  await startStep(scene, 'keyd', token ? `keys in the token "${token.label}"` : 'keys in files');
  await startStep(scene, 'certd');
  if (way.attestation === 'tpm') await startStep(scene, 'tpmd', 'EK and SRK in the TPM');
  const made = await factoryStep(scene, settings);
  if (cloud) await enrolmentStep(scene, cloud, settings, made);
  const identityd = await startStep(scene, 'identityd');
  const device = await provisioningStep(scene, identityd);
  const modules = await modulesStep(scene, identityd);
  const caPem = made.localCaPem ?? (await readFile(deliveries.estServerCa, 'utf8'));
  const certificate = way.issuer && (await certificateStep(scene, caPem));
  const { moduleId, genId, sasAccepted } = await hostStep(scene);
  const keys = await deviceKeys(facts);
  return {
    life: options.life,
    way,
    hub: device.hubName,
    deviceId: device.deviceId,
    certificate,
    keys,
    keyLocation: keys[0]?.location.kind ?? 'file',
    modules: modules ?? [{ moduleId, genId }],
    host: { moduleId, sasAccepted },
    hostUser: host,
    hostIsOther: hostIsOther(tools),
    sockets: eachDaemon(way, (name) => socketPath(folders, name)),
    pid: eachDaemon(way, (name) => daemons.get(name)?.pid ?? 0),
    urls: cloud && { est: cloud.estUrl, dps: cloud.dpsUrl, hub: cloud.hubUrl },
    scopeId: settings.cloud.scopeId,
    rootCaPath: join(folders.run, 'ca.pem'),
    folders,
    timingsMs: { ...steps.timingsMs, total: Math.round((now() - begun) * 10) / 10 },
  };
}
