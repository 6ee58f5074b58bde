import { createHmac } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { exchange, expectStatus } from '../../runner/index.ts';
import type { Bench } from './bench.ts';
import { certdConfig, keydConfig } from './configs.ts';
import { deviceCertificate } from './materials.ts';

export const DEVICE_KEY = Buffer.alloc(32, 4);
const GROUP_KEY = Buffer.alloc(32, 3);
/** The key that module keys are derived from. */
export const MASTER_KEY = Buffer.alloc(32, 1);
export const SERVICE_UID = 5556;

const MASTER = { aziot_identityd_master_id: 'master' };
export const KEYS = { 'device-id': 'device-id', ...MASTER };
export const LOCAL_IDS = { l1: 30, ml: 30, 'other-local': 30 };
const IDENTITY = { idcert: 30, 'idcert-temp': 30, idcert2: 30, idcert3: 30 };
const LONG_ID = 'r'.repeat(70);
const HUB1 = 'hub1.iot.test';
const HUB1_PORT = 'hub1.iot.test:8443';

async function writeKeys(bench: Bench, deviceKey = DEVICE_KEY): Promise<void> {
  await bench.world.file('pre/device-id', deviceKey, 0o600);
  await bench.world.file('pre/master', MASTER_KEY, 0o600);
}

/** keyd with the shared keys, certd with a local CA. */
async function withSharedKeys(bench: Bench, days: Readonly<Record<string, number>> = LOCAL_IDS): Promise<void> {
  await writeKeys(bench);
  await bench.reset(keydConfig(KEYS), certdConfig(days));
}

/** As {@link withSharedKeys}, and the device key pair and certificate as the operator's files. */
async function withCertificate(bench: Bench, commonName: string): Promise<void> {
  await writeKeys(bench);
  const { cert, key } = await deviceCertificate(bench.materials, commonName);
  await bench.world.file('pre/idcert.pem', cert);
  await bench.world.file('pre/idkey.pem', key, 0o600);
  await bench.reset(keydConfig({ ...KEYS, idkey: 'idkey.pem' }), certdConfig(LOCAL_IDS, { idcert: 'idcert.pem' }));
  bench.notes.set('idkey', key);
}

const enrol = ({ cloud }: Bench, id: string, deviceId: string, hub: string, more: object = { key: DEVICE_KEY }) =>
  cloud.dps.enrolments.set(id, { deviceId, hub, ...more });

async function manual(bench: Bench): Promise<void> {
  await withSharedKeys(bench);
  bench.cloud.hub.putDevice('Dev-01', { key: DEVICE_KEY });
}

/** A device of Reg-01; `assigning` polls pass before it is assigned. */
async function registered(bench: Bench, deviceId = 'Dev-A', hub = HUB1, assigning = 0): Promise<void> {
  await withSharedKeys(bench);
  enrol(bench, 'Reg-01', deviceId, hub, { key: DEVICE_KEY, assigning });
}

/** Keys and certificates of a device whose certificate is renewed; steps store a certificate of the age they need. */
async function renewed(bench: Bench): Promise<void> {
  await writeKeys(bench);
  const { key } = await deviceCertificate(bench.materials, 'Dev-R');
  await bench.world.file('pre/idkey.pem', key, 0o600);
  await bench.reset(keydConfig({ ...KEYS, idkey: 'idkey.pem' }), certdConfig(IDENTITY));
  enrol(bench, 'Dev-R', 'Dev-R', HUB1, { commonName: 'Dev-R' });
}

/** Stores a device certificate of this age in certd, and its key as the operator's file. */
export async function storeCertificate(
  bench: Bench,
  times: { readonly fromMs: number; readonly toMs: number },
): Promise<void> {
  const { world } = bench;
  await world.stop('identityd');
  const { cert, key } = await deviceCertificate(bench.materials, 'Dev-R', times);
  await world.file('pre/idkey.pem', key, 0o600);
  await world.restart('keyd');
  const request = { method: 'PUT', target: '/certificates/idcert?api-version=2020-09-01', body: { pem: cert } };
  expectStatus(await exchange(world.socket('certd'), 0, request), 201);
  bench.notes.set('certificate', cert);
  bench.notes.set('key', key);
}

/** A hub with nothing but the devices whose ids are odd. */
export function putHostFormDevices({ cloud }: Bench): void {
  cloud.hub.devices.clear();
  for (const id of ['Dev-01', 'Dev 1=x', 'Dev%41', 'D\u00e9v']) cloud.hub.putDevice(id, { key: DEVICE_KEY });
}

/** What each scenario of the recording finds when it begins. */
export const SCENES: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  async 'manual-sas'(bench) {
    await withSharedKeys(bench, { l1: 3, ml: 3, 'other-local': 3 });
    bench.cloud.hub.putDevice('Dev-01', { key: DEVICE_KEY });
    for (const id of ['foreign', 'm3']) bench.cloud.hub.putModule('Dev-01', id);
  },
  async 'manual-x509'(bench) {
    await withCertificate(bench, 'Dev-01');
    bench.cloud.hub.putDevice('Dev-01', { commonName: 'Dev-01' });
  },
  async 'manual-x509-issued'(bench) {
    await withSharedKeys(bench, IDENTITY);
    bench.cloud.hub.putDevice('Dev-01', { commonName: 'Dev-01' });
  },
  async 'x509-certd-down'(bench) {
    await withCertificate(bench, 'Dev-01');
    bench.cloud.hub.putDevice('Dev-01', { commonName: 'Dev-01' });
    await bench.world.stop('certd');
  },
  async 'dps-symmetric'(bench) {
    await registered(bench, 'Dev-A', HUB1_PORT, 2);
    await bench.world.file(
      'pre/payload.json',
      '{"z":1,"a":{"n":[1,2.5,null,true,"\u00e9"]},"big":12345678901234567890}',
    );
  },
  async 'dps-group'(bench) {
    const key = createHmac('sha256', GROUP_KEY).update('Grp-Dev').digest();
    await writeKeys(bench, key);
    await bench.reset(keydConfig(KEYS), certdConfig(LOCAL_IDS));
    enrol(bench, 'Grp-Dev', 'Grp-Dev', HUB1, { key });
  },
  async 'dps-x509'(bench) {
    await withCertificate(bench, 'Dev-X');
    enrol(bench, 'Dev-X', 'Dev-X', HUB1_PORT, { commonName: 'Dev-X' });
    enrol(bench, 'other-id', 'other-id', HUB1_PORT, { commonName: 'other-id' });
  },
  async 'dps-x509-issued'(bench) {
    await withSharedKeys(bench, IDENTITY);
    for (const id of ['Dev-I', LONG_ID]) enrol(bench, id, id, HUB1, { commonName: id });
  },
  async 'dps-failures'(bench) {
    await registered(bench);
    bench.cloud.hub.putDevice('d', { key: DEVICE_KEY });
  },
  'dps-endless-assigning': (bench) => registered(bench, 'Reg-01', HUB1, 4),
  async 'dps-tpm'(bench) {
    await withSharedKeys(bench);
    const tpm = { challenge: Buffer.alloc(32, 'N'), hubKey: Buffer.alloc(32, 'K') };
    enrol(bench, 'Tpm-01', 'Tpm-Dev', HUB1, { tpm });
  },
  'source-none': (bench) => withSharedKeys(bench),
  nested: manual,
  async 'host-forms'(bench) {
    await withSharedKeys(bench);
    putHostFormDevices(bench);
  },
  offline: manual,
  async reconcile(bench) {
    await manual(bench);
    bench.cloud.hub.putModule('Dev-01', 'foreign');
  },
  'config-errors': manual,
  runtime: (bench) => registered(bench),
  async 'master-key'(bench) {
    await writeKeys(bench);
    await bench.reset(keydConfig({ 'device-id': 'device-id' }), certdConfig(LOCAL_IDS));
    bench.cloud.hub.putDevice('Dev-01', { key: DEVICE_KEY });
  },
  async 'service-user'(bench) {
    await manual(bench);
    // identityd makes its socket and its state as this user
    await chmod(bench.world.path('run'), 0o777);
    await chmod(bench.world.path('identityd'), 0o777);
    await mkdir(bench.world.path('identityd', 'home'), { recursive: true, mode: 0o777 });
    await chmod(bench.world.path('identityd', 'home'), 0o777);
    for (const daemon of ['keyd', 'certd'] as const) await chmod(bench.world.socket(daemon), 0o666);
    bench.uid = SERVICE_UID;
  },
  proxy: (bench) => registered(bench),
  renewal: renewed,
  'renewal-replaced': renewed,
  'renewal-deadlock': renewed,
  async extras(bench) {
    await withCertificate(bench, 'Dev-X');
    bench.cloud.hub.putDevice('Dev-01', { key: DEVICE_KEY });
    enrol(bench, 'Reg-01', 'Dev-A', HUB1);
    enrol(bench, 'Dev-X', 'Dev-X', 'hub2.iot.test', { commonName: 'Dev-X' });
  },
  'plain-http': (bench) => registered(bench),
  throttle: manual,
};
