import { createHmac } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { exchange, expectStatus } from '../../runner/index.ts';
import type { Bench } from './bench.ts';
import { certdConfig, keydConfig } from './configs.ts';
import { deviceCertificate } from './materials.ts';
import { DEVICE_KEY, KEYS, LOCAL_IDS, putHostFormDevices, SERVICE_UID, storeCertificate } from './scenes.ts';
import { startTpmd } from './tpmd.ts';

type Before = (bench: Bench) => Promise<void> | void;

const STATE_FILES = ['device_info', 'prev_state', 'provisioning_digest', 'reconciliation_progress', 'modules'];

/** Forgets what identityd knows of its device. */
async function forget({ world }: Bench): Promise<void> {
  await world.stop('identityd');
  for (const name of STATE_FILES) await rm(world.path('identityd', 'home', name), { recursive: true, force: true });
}

const lose =
  (...names: readonly string[]): Before =>
  async ({ world }) => {
    await world.stop('identityd');
    for (const name of names) await rm(world.path('identityd', 'home', name), { force: true });
  };

const write =
  (name: string, text: string): Before =>
  async ({ world }) => {
    await world.stop('identityd');
    await world.file(`identityd/home/${name}`, text);
  };

const cut =
  (...names: readonly string[]): Before =>
  (bench) =>
    bench.cut(...names);
const connect: Before = (bench) => bench.connect();

async function deviceKey({ world }: Bench, key: Uint8Array): Promise<void> {
  await world.file('pre/device-id', key, 0o600);
  await world.restart('keyd');
}

async function deleteCertificate({ world }: Bench): Promise<void> {
  const request = { method: 'DELETE', target: '/certificates/idcert?api-version=2020-09-01' };
  expectStatus(await exchange(world.socket('certd'), 0, request), 204);
}

async function keysOfService({ world }: Bench, keys: readonly string[]): Promise<void> {
  await world.configure('keyd', keydConfig(KEYS, [{ uid: SERVICE_UID, keys }]));
  const running = await world.restart('keyd');
  await running.ready(world.socket('keyd'), 10_000);
}

const due =
  (fromMs: number, toMs: number): Before =>
  (bench) =>
    storeCertificate(bench, { fromMs, toMs });

async function emptyCache({ world }: Bench): Promise<void> {
  await rm(world.path('identityd', 'home', 'modules'), { recursive: true, force: true });
}

async function spoilCache({ world }: Bench): Promise<void> {
  const folder = world.path('identityd', 'home', 'modules');
  const [place = ''] = await readdir(folder);
  const names = await readdir(`${folder}/${place}`);
  const name = names.find((one) => one.startsWith('m1-')) ?? '';
  await world.file(`identityd/home/modules/${place}/${name}`, 'garbage');
}

/** What the recording's own hand did before an exchange. */
export const BEFORE: Readonly<Record<string, Before>> = {
  'config-errors/homedir-under-a-file': async ({ world }) => void (await world.file('file', 'in the way')),
  'config-errors/homedir-created': forget,
  'manual-sas/local-certd-down': ({ world }) => world.stop('certd'),
  'manual-sas/get-after-hub-keys-changed': ({ cloud }) => {
    const changed = {
      primaryKey: Buffer.alloc(32, 12).toString('base64'),
      secondaryKey: Buffer.alloc(32, 13).toString('base64'),
    };
    Object.assign(cloud.hub.module('Dev-01', 'my-mod_1'), changed);
  },
  'manual-sas/get-managed-by': ({ cloud }) => {
    cloud.hub.module('Dev-01', 'my-mod_1').managedBy = 'someone';
  },
  'manual-sas/down-update': cut(),
  'manual-sas/keyd-down-get': async (bench) => {
    bench.connect();
    await bench.world.stop('keyd');
  },
  'manual-sas/root': async ({ world }) => void (await world.start('keyd')),
  'manual-sas/hub-down': cut(),
  'manual-sas/after-up': connect,
  'manual-x509/expired-certificate': async (bench) => {
    const hour = 3_600_000;
    const { cert, key } = await deviceCertificate(bench.materials, 'Dev-01', { fromMs: -2 * hour, toMs: -hour });
    await bench.world.file('pre/idcert.pem', cert);
    await bench.world.file('pre/idkey.pem', key, 0o600);
    for (const daemon of ['keyd', 'certd'] as const) await bench.world.restart(daemon);
  },
  'manual-x509-issued/csr-subject-email': deleteCertificate,
  'manual-x509-issued/csr-subject-no-cn': deleteCertificate,
  'x509-certd-down/keyd-and-certd-down': ({ world }) => world.stop('keyd'),
  'x509-certd-down/certificate-without-key': async ({ world }) => {
    await world.start('keyd');
    await world.start('certd');
  },
  'dps-symmetric/restart-dps-down': cut('dps.iot.test'),
  'dps-symmetric/restart-all-down': cut(),
  'dps-symmetric/reprovision-again': (bench) => {
    bench.connect();
    const known = bench.cloud.dps.enrolments.get('Reg-01');
    if (known) bench.cloud.dps.enrolments.set('Reg-01', { ...known, assigning: 0 });
  },
  'dps-symmetric/provisioning-payload-missing': ({ world }) => rm(world.path('pre', 'payload.json')),
  'dps-symmetric/payload-missing': forget,
  'dps-symmetric/payload-not-json': async ({ world }) => void (await world.file('pre/payload.json', 'nope')),
  'dps-symmetric/device-info-garbage': write('device_info', 'garbage'),
  'dps-symmetric/device-info-unprovisioned': write('device_info', 'unprovisioned'),
  'dps-symmetric/prev-state-garbage': write('prev_state', 'garbage'),
  'dps-group/group-key-itself-used': async (bench) => {
    await forget(bench);
    await deviceKey(bench, Buffer.alloc(32, 3));
  },
  'dps-x509/provisioning-certd-down': ({ world }) => world.stop('certd'),
  'dps-x509/restart-dps-down': async (bench) => {
    await bench.world.start('certd');
    bench.cut('dps.iot.test');
  },
  'dps-x509/registration-id-differs-from-cn': async (bench) => {
    bench.connect();
    await forget(bench);
  },
  'dps-x509-issued/cn-of-70': forget,
  'dps-x509-issued/cn-cut-inside-character': forget,
  'dps-failures/wrong-key': (bench) => deviceKey(bench, Buffer.alloc(32, 9)),
  'dps-failures/unknown-registration': async (bench) => {
    await deviceKey(bench, DEVICE_KEY);
    bench.notes.set('enrolment', bench.cloud.dps.enrolments.get('Reg-01'));
    bench.cloud.dps.enrolments.delete('Reg-01');
  },
  'dps-failures/unknown-scope': ({ cloud, notes }) => {
    cloud.dps.enrolments.set('Reg-01', notes.get('enrolment') as never);
  },
  'dps-failures/keyd-down': ({ world }) => world.stop('keyd'),
  'dps-failures/wrong-host-name': async ({ world }) => void (await world.start('keyd')),
  'dps-failures/refused-retries-0': cut('dps.iot.test'),
  'dps-endless-assigning/token-expires-while-polling': async (bench) => {
    await forget(bench);
    const known = bench.cloud.dps.enrolments.get('Reg-01');
    if (known) bench.cloud.dps.enrolments.set('Reg-01', { ...known, assigning: Number.POSITIVE_INFINITY });
  },
  'dps-tpm/start': async (bench) => {
    bench.notes.set('tpmd', await startTpmd(bench.world));
  },
  'dps-tpm/challenge-202': forget,
  'dps-tpm/tpmd-down': async (bench) => {
    await (bench.notes.get('tpmd') as Awaited<ReturnType<typeof startTpmd>>).stop();
  },
  'offline/manual-hub-refused': cut(),
  'offline/hub-name-not-found': connect,
  'offline/device-unknown-to-hub': ({ cloud }) => void cloud.hub.devices.delete('Dev-01'),
  'offline/device-disabled': ({ cloud }) => {
    cloud.hub.putDevice('Dev-01', { key: DEVICE_KEY }).disabled = true;
  },
  'offline/hub-closes-connections': ({ cloud }) => {
    cloud.hub.device('Dev-01').disabled = false;
  },
  'offline/keyd-down': ({ world }) => world.stop('keyd'),
  'offline/prefer-cache': async ({ world }) => void (await world.start('keyd')),
  'offline/cache-get-foreign': ({ cloud }) => void cloud.hub.putModule('Dev-01', 'foreign'),
  'offline/cache-module-deleted-in-hub': ({ cloud }) => void cloud.hub.device('Dev-01').modules.delete('m1'),
  'offline/cache-list-no-folder': emptyCache,
  'offline/cache-get-no-folder': emptyCache,
  'offline/cache-file-garbage': spoilCache,
  'reconcile/prev-state-lost': lose('prev_state'),
  'reconcile/device-info-other-hub': write(
    'device_info',
    'hub_name = "other.iot.test"\nlocal_gateway_hostname = "other.iot.test"\ndevice_id = "Dev-01"\n',
  ),
  'reconcile/device-info-lost': lose('device_info'),
  'reconcile/both-lost': lose('device_info', 'prev_state'),
  'reconcile/hub-spells-differently': ({ cloud }) => {
    const { modules } = cloud.hub.device('Dev-01');
    const module = cloud.hub.module('Dev-01', 'KEPT2');
    modules.delete('KEPT2');
    modules.set('kept2', Object.assign(module, { moduleId: 'kept2' }));
  },
  'runtime/duplicate-names': ({ world }) => rm(world.path('identityd', 'config.d', '30-bad.toml')),
  'runtime/other-scope': ({ world }) => rm(world.path('identityd', 'config.d', '40-dup.toml')),
  'service-user/device-key-only': (bench) => keysOfService(bench, ['device-id']),
  'service-user/both-keys': (bench) => keysOfService(bench, ['device-id', 'aziot_identityd_master_id']),
  'service-user/local-granted': async ({ world }) => {
    await world.configure('certd', certdConfig(LOCAL_IDS, {}, [{ uid: SERVICE_UID, certs: ['l1'] }]));
    await world.restart('certd');
  },
  'proxy/proxy-answers-407': ({ proxy }) => proxy.refuseWith(407),
  'proxy/proxy-down': ({ proxy }) => proxy.serve(),
  // due when four fifths of the 100 s are over: some seconds after a start that waits for its first poll
  'renewal/due-15s-after-start': due(-72_000, 28_000),
  'renewal-replaced/start': due(-72_000, 28_000),
  'renewal-deadlock/start': due(-72_000, 28_000),
  'renewal/due-at-start': due(-540_000, 60_000),
  'renewal/due-at-start-same-key': due(-540_000, 60_000),
  'renewal/issuance-fails': async (bench) => {
    await storeCertificate(bench, { fromMs: -540_000, toMs: 60_000 });
    await bench.world.configure('certd', certdConfig({}));
    await bench.world.restart('certd');
  },
  'renewal/expired-and-issuance-fails': due(-100_000, -1000),
  'extras/socket-after-own-bind': async ({ world }) => {
    await world.stop('identityd');
    await rm(world.socket('identityd'), { force: true });
    await mkdir(world.socket('identityd'));
  },
  'extras/switch-before': forget,
};

/** The key of a module in the hub, base64, by the documented formula. */
export function moduleKey(
  master: Uint8Array,
  moduleId: string,
  generationId: string,
  which: 'primary' | 'secondary',
): string {
  return createHmac('sha256', master).update(`${moduleId}:${generationId}:${which}`).digest('base64');
}

/** The environment that a start of the recording had, with the proxy of the bench in place of the recorded one. */
export function takeEnvironment(bench: Bench, note: unknown): void {
  const { environment } = (note ?? {}) as { environment?: Readonly<Record<string, string>> };
  if (!environment) return;
  const own = (value: string) => value.replace('<cloud address>:3128', `127.0.0.1:${bench.proxy.port}`);
  bench.env = Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, own(value)]));
}

/** Scenarios in which every start begins without a device. */
export async function forgetWhereFresh(bench: Bench, id: string): Promise<void> {
  if (!/^(dps-failures|host-forms)\//.test(id)) return;
  await forget(bench);
  if (id.startsWith('host-forms/')) putHostFormDevices(bench);
}
