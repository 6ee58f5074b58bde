import { join } from 'node:path';
import type { Cloud } from './cloud.ts';
import { MODULES, socketPath } from './daemon-configs.ts';
import type { Daemon, DaemonName } from './daemon-process.ts';
import { launch, mustListen } from './daemon-start.ts';
import { deliveredFiles } from './delivered-files.ts';
import { equipDevice, type FactoryResult } from './factory.ts';
import { type CertificateSummary, summarise } from './outcome.ts';
import { type DeviceIdentity, type ModuleIdentity, whenModulesExist, whenProvisioned } from './provisioned.ts';
import { runWithDaemons, type Scene } from './scene.ts';
import type { Settings } from './settings.ts';
import { callUnix } from './unix-call.ts';
import { DEVICE_ID, IDS } from './ways.ts';

const PROVISION_WITHIN_MS = 120_000;
const STOP_GRACE_MS = 5_000;

/** Starts the process of a daemon; it may not listen yet. */
export async function launchDaemon({ machine, folders, facts, cleanup, daemons }: Scene, name: DaemonName) {
  const daemon = await launch(name, machine.aziotd, facts, deliveredFiles(folders).rootCa);
  daemons.set(name, daemon);
  cleanup.add(() => daemon.stop(STOP_GRACE_MS));
}

/** Waits for the socket of a daemon, started here where it has not been yet. */
export function startStep(scene: Scene, name: DaemonName, detail?: string): Promise<Daemon> {
  const { folders, daemons, signal } = scene;
  const expected = `${name} starts and listens on ${socketPath(folders, name)}`;
  const keep = folders.temporary.includes(folders.base) ? ' (keep it by --data-dir DIR)' : '';
  const remedy = `read its last lines; its configuration is ${join(folders[name], 'config.toml')}${keep}`;
  return runWithDaemons(scene, { name, title: name, expected, remedy }, name, async () => {
    if (!daemons.has(name)) await launchDaemon(scene, name);
    const daemon = daemons.get(name);
    if (daemon === undefined) throw new Error(`${name} was not started`);
    await mustListen(daemon, signal);
    return { value: daemon, detail: [`process ${daemon.pid}`, detail].filter(Boolean).join(', ') };
  });
}

/** What happens to the device before it meets the cloud. */
export async function factoryStep(scene: Scene, { secrets }: Settings): Promise<FactoryResult> {
  const { folders, facts } = scene;
  const expected = 'keyd and certd take what the device gets from its maker';
  const plan = { name: 'factory', title: 'the factory', expected, remedy: 'read the last lines of keyd and certd' };
  return runWithDaemons(scene, plan, 'keyd', async () => {
    const socketOf = (name: DaemonName) => socketPath(folders, name);
    const sockets = { keydSocket: socketOf('keyd'), certdSocket: socketOf('certd'), tpmdSocket: socketOf('tpmd') };
    const value = await equipDevice({ way: facts.way, secrets, ...sockets });
    return { value, detail: value.done };
  });
}

/** The operator of the cloud enrols the device. */
export async function enrolmentStep(
  { steps, facts: { way } }: Scene,
  cloud: Cloud,
  { secrets }: Settings,
  { localCaPem, tpmKeys }: FactoryResult,
): Promise<void> {
  const title = `enrolment at ${way.enrolment.kind.startsWith('hub-') ? 'the hub' : 'DPS'}`;
  const expected = 'the operator enrols the device';
  await steps.run({ name: 'enrolment', title, expected, remedy: 'take a new data folder' }, async () => {
    cloud.enrol({ way, deviceId: DEVICE_ID, secrets, localCaPem, tpmKeys });
    return { value: undefined, detail: DEVICE_ID };
  });
}

/** Waits for the device identity. */
export function provisioningStep(scene: Scene, identityd: Daemon): Promise<DeviceIdentity> {
  const { way, deliveries } = scene.facts;
  const expected = `identityd gets a device identity by ${way.name}`;
  const byEst = `EST takes the bootstrap certificate ${deliveries.bootstrapCertificate} only if its own maker issued it`;
  const remedy =
    way.issuer === 'est' ? `read the lines below for the cause; ${byEst}` : 'read the lines below for the cause';
  const plan = { name: 'provisioning', title: 'provisioning', expected, remedy };
  return runWithDaemons(scene, plan, 'identityd', async () => {
    const value = await whenProvisioned(identityd, PROVISION_WITHIN_MS, scene.signal);
    return { value, detail: `${value.deviceId} at ${value.hubName}` };
  });
}

/** Waits for the module identities. Only root may list them: undefined for anybody else. */
export async function modulesStep(scene: Scene, identityd: Daemon): Promise<readonly ModuleIdentity[] | undefined> {
  const { ownUid, folders, signal } = scene;
  if (ownUid !== 0) return undefined;
  const names = Object.values(MODULES);
  const expected = `the hub has the modules ${names.join(' and ')}`;
  const remedy = `read the lines below; the modules are the principals in ${join(folders.identityd, 'config.toml')}`;
  return runWithDaemons(
    scene,
    { name: 'modules', title: 'module identities', expected, remedy },
    'identityd',
    async () => {
      const value = await whenModulesExist(identityd, names, PROVISION_WITHIN_MS, signal);
      return { value, detail: value.map(({ moduleId }) => moduleId).join(', ') };
    },
  );
}

/** Reads the certificate of the device. `caPem`: what it is verified by. */
export function certificateStep(scene: Scene, caPem: string): Promise<CertificateSummary> {
  const expected = `certd has the certificate ${IDS.device}`;
  const plan = { name: 'certificate', title: 'device certificate', expected, remedy: 'read the last lines of certd' };
  return runWithDaemons(scene, plan, 'certd', async () => {
    const path = `/certificates/${IDS.device}?api-version=2020-09-01`;
    const answer = await callUnix({ socketPath: socketPath(scene.folders, 'certd'), method: 'GET', path });
    const pem = (answer.body as { pem?: unknown } | undefined)?.pem;
    if (answer.status !== 200 || typeof pem !== 'string')
      throw new Error(`certd answered ${answer.status} ${answer.text}`);
    const value = summarise(pem, caPem);
    return { value, detail: `${value.subject}, until ${value.notAfter.slice(0, 10)}` };
  });
}
