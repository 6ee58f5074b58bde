import { mkdir, writeFile } from 'node:fs/promises';
import { afterEach, expect, it } from 'vitest';
import { startIdentityd } from '../impl/identity/index.ts';
import { createLogger, type RunningDaemon, systemClock } from '../impl/process/index.ts';
import {
  configureIdentityd,
  configureKeyd,
  createIdentityWorld,
  DEVICE_KEY,
  type IdentityWorld,
} from './identity-world.ts';

let world: IdentityWorld;
let daemon: RunningDaemon | undefined;
let logged: string[] = [];
afterEach(async () => {
  await daemon?.close();
  await world.close();
  daemon = undefined;
  logged = [];
});

/** Waits for a line of the daemon in this process. */
async function untilLogged(text: string, times = 1): Promise<void> {
  const end = Date.now() + 20_000;
  while (logged.filter((line) => line.includes(text)).length < times) {
    if (Date.now() > end) throw new Error(`waited in vain for "${text}"\n${logged.join('')}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const dropIn = (name: string, text: string) => writeFile(`${world.folder}/identityd.d/${name}`, text);
const principal = (uid: number, name: string) => `[[principal]]\nuid = ${uid}\nname = "${name}"\nidtype = ["module"]\n`;

/** A manual device; the daemon runs here, on a clock whose pauses are a hundredth as long. */
async function start(): Promise<void> {
  world = await createIdentityWorld();
  const keys = { primaryKey: DEVICE_KEY.toString('base64') };
  world.hub.registry.upsertDevice({ deviceId: 'Dev-01', authentication: { type: 'sas', ...keys } });
  await configureKeyd(world);
  const manual = `[provisioning]\nsource = "manual"\niothub_hostname = "${world.hub.hostName}"\ndevice_id = "Dev-01"\n`;
  await configureIdentityd(
    world,
    `${manual}[provisioning.authentication]\nmethod = "sas"\ndevice_id_pk = "device-id"\n`,
    ['m1'],
  );
  await mkdir(`${world.folder}/identityd.d`, { recursive: true });
  await world.start('keyd');
  const log = createLogger({ target: 'identityd', filter: 'info', write: (line) => logged.push(line), now: Date.now });
  const clock = { now: Date.now, sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal) };
  const env = {
    SSL_CERT_FILE: `${world.folder}/root.pem`,
    AZIOT_IDENTITYD_CONFIG: `${world.folder}/identityd.toml`,
    AZIOT_IDENTITYD_CONFIG_DIR: `${world.folder}/identityd.d`,
  };
  daemon = await startIdentityd({ env, log, clock });
  await untilLogged('Starting server...');
}

const modules = () =>
  world.hub.registry
    .listModules('Dev-01')
    .map(({ moduleId }) => moduleId)
    .sort();

it('IS-042: a principal that is added gets its module without a restart', async () => {
  await start();
  await dropIn('20-late.toml', principal(64_010, 'late'));
  await untilLogged('Identity reconciliation complete.', 2);
  expect(modules()).toEqual(['late', 'm1']);
});

it('IS-043, IS-044: broken TOML and duplicate names are refused whole, with the file or the name', async () => {
  await start();
  await dropIn('30-bad.toml', `${principal(64_011, 'half')}x =`);
  await untilLogged('new config failed to parse. Error: ');
  expect(logged.at(-1)).toContain('30-bad.toml');
  await dropIn('30-bad.toml', principal(64_011, 'm1') + principal(64_012, 'other'));
  await untilLogged('duplicate module name: m1');
  expect((await world.call('identityd', 'GET', '/identities/provisioning')).status).toBe(200);
  expect(modules()).toEqual(['m1']);
  expect(logged.filter((line) => line.includes('Identity reconciliation started')).length).toBe(1);
});
