import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Cloud } from './cloud.ts';
import { deliveredFiles, isThere } from './delivered-files.ts';
import type { Plan } from './plan.ts';
import type { StoryTools } from './scene.ts';
import { newSecrets, type Settings, writeSettings } from './settings.ts';
import { type SoftwareTpm, startSoftwareTpm } from './software-tpm.ts';
import { makeSoftHsmToken, makeTpmToken, softHsmEnv, TOKEN_LABEL, type Token, tpmTokenEnv } from './token.ts';
import { DEVICE_ID, type Way } from './ways.ts';

/** What is there before the first daemon starts. */
export interface World {
  /** Absent: the simulators are stopped. */
  readonly cloud: Cloud | undefined;
  readonly settings: Settings;
  /** Absent: keys go to files. */
  readonly token: Token | undefined;
  /** Where the device has one. */
  readonly tpm: SoftwareTpm | undefined;
}

async function startCloud({ folders, steps, cleanup, openCloud }: StoryTools, way: Way, earlier: Settings | undefined) {
  const files = deliveredFiles(folders);
  const expected = 'EST, DPS and a hub listen with TLS on this machine';
  const remedy = 'with --data-dir the ports of the first start are used again: see that nothing else listens there';
  return steps.run({ name: 'cloud', title: 'EST, DPS and IoT Hub', expected, remedy }, async () => {
    const cloud = await openCloud({ folder: folders.cloud, ports: earlier?.cloud.ports });
    cleanup.add(() => cloud.close());
    await writeFile(files.rootCa, cloud.rootPem, { mode: 0o644 });
    await writeFile(files.estServerCa, cloud.estCaPem, { mode: 0o644 });
    if (way.issuer === 'est' && !(await isThere(files.bootstrapCertificate))) {
      const { certificatePem, keyPem } = await cloud.issueBootstrap(DEVICE_ID);
      await writeFile(files.bootstrapKey, keyPem, { mode: 0o600 });
      await writeFile(files.bootstrapCertificate, certificatePem, { mode: 0o644 });
    }
    return { value: cloud, detail: `on ports ${Object.values(cloud.ports).join(', ')}` };
  });
}

/** The software TPM, where the way or the token needs one. */
async function openTpm(
  { folders, steps, cleanup }: StoryTools,
  plan: Plan,
  way: Way,
): Promise<SoftwareTpm | undefined> {
  const asToken = plan.store === 'tpm-token';
  if (way.attestation !== 'tpm' && !asToken) return undefined;
  const expected = 'swtpm plays the TPM of the device';
  const remedy = `see that swtpm works, and that ${folders.tpm} holds a state that it takes`;
  return steps.run({ name: 'tpm', title: 'software TPM', expected, remedy }, async () => {
    const sharing = asToken ? 'resource-manager' : 'one-program';
    const place = { stateFolder: folders.tpm, runFolder: folders.run, sharing } as const;
    return { value: await startSoftwareTpm(place, cleanup), detail: asToken ? 'behind a resource manager' : 'swtpm' };
  });
}

/** The token that an earlier start has made. */
function knownToken(module: string, env: Token['env'], earlier: Settings | undefined): Token | undefined {
  if (earlier?.store.kind !== 'token') return undefined;
  const { label, pin } = earlier.store;
  return { module, label, pin, env };
}

async function openToken(
  { machine, folders, steps }: StoryTools,
  plan: Plan,
  tpm: SoftwareTpm | undefined,
  earlier: Settings | undefined,
): Promise<Token | undefined> {
  const remedy = (module: string) => `see that the module works: pkcs11-tool --module ${module} -L`;
  if (plan.store === 'tpm-token') {
    if (!tpm || !('module' in machine.tpmToken)) return undefined;
    const { module } = machine.tpmToken;
    const known = knownToken(module, tpmTokenEnv(folders.keyd, tpm), earlier);
    const expected = `the TPM has the token "${TOKEN_LABEL}"`;
    const step = { name: 'token', title: 'token in the TPM', expected, remedy: remedy(module) };
    const make = async () => ({ value: await makeTpmToken(module, folders.keyd, tpm), detail: `"${TOKEN_LABEL}"` });
    return known ?? steps.run(step, make);
  }
  if (plan.store === 'file' || !('module' in machine.softHsm)) return undefined;
  const { module } = machine.softHsm;
  const known = knownToken(module, softHsmEnv(folders.keyd), earlier);
  const expected = `SoftHSM makes the token "${TOKEN_LABEL}"`;
  const step = { name: 'token', title: 'SoftHSM token', expected, remedy: remedy(module) };
  const make = async () => ({ value: await makeSoftHsmToken(module, folders.keyd), detail: `"${TOKEN_LABEL}"` });
  return known ?? steps.run(step, make);
}

function settingsFor(plan: Plan, cloud: Cloud | undefined, token: Token | undefined): Settings {
  if (cloud === undefined) throw new Error('a start without the cloud needs the settings of an earlier one');
  const { estUrl, dpsUrl, hubUrl, hubName, scopeId, ports } = cloud;
  const place = plan.store === 'tpm-token' ? ({ token: 'tpm' } as const) : {};
  return {
    provisioning: plan.provisioning,
    store: token ? { kind: 'token', ...place, label: token.label, pin: token.pin } : { kind: 'file' },
    secrets: newSecrets(),
    cloud: { estUrl, dpsUrl, hubUrl, hubName, scopeId, ports },
  };
}

/** Starts the cloud, unless it is to be stopped, and makes or finds the token; keeps what the next start needs. */
export async function openWorld(
  tools: StoryTools,
  plan: Plan,
  way: Way,
  earlier: Settings | undefined,
): Promise<World> {
  const { options, folders, steps } = tools;
  const cloud = options.cloud === 'simulated' ? await startCloud(tools, way, earlier) : undefined;
  if (cloud === undefined) steps.note('the simulators are stopped: the device starts without a network');
  const tpm = await openTpm(tools, plan, way);
  const token = await openToken(tools, plan, tpm, earlier);
  const settings = earlier ?? settingsFor(plan, cloud, token);
  if (earlier === undefined) await writeSettings(folders.cloud, settings);
  // the host process may read the root; the folder of the cloud is closed to it
  await writeFile(join(folders.run, 'ca.pem'), await readFile(deliveredFiles(folders).rootCa), { mode: 0o644 });
  return { cloud, settings, token, tpm };
}
