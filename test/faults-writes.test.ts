import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createTestPki, type TestPki } from '../simulators/common/index.ts';
import { createHubSimulator, type HubSimulator } from '../simulators/hub/index.ts';
import { CERTD_V, Device, IDENTITYD_V } from './support/device.ts';

const isRoot = process.getuid?.() === 0;
let device: Device;
let pki: TestPki;

beforeEach(async () => {
  device = new Device();
  pki = await createTestPki();
});
afterEach(() => device.close());

async function startCertd(rest = ''): Promise<void> {
  device.configure('keyd', `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"`);
  device.configure('certd', `homedir_path = "${device.path('certd')}"\n${rest}`);
  await device.start('keyd');
  await device.start('certd');
}

const put = (id: string, pem: string, uid?: number) =>
  device.call('certd', 'PUT', `/certificates/${id}?${CERTD_V}`, { pem }, uid);
const get = (id: string) => device.call('certd', 'GET', `/certificates/${id}?${CERTD_V}`);

describe('certd killed while it writes', () => {
  it.each([1, 2, 3, 4])('CS-077: round %i: the old or the new certificate, never a part', async (round) => {
    await startCertd();
    const { certificatePem: old } = pki.root;
    const fresh = old + (await pki.ca('server')).certificatePem.repeat(20);
    for (let index = 0; index < 10; index++) expect((await put(`c${index}`, old)).status).toBe(201);
    const writing = Array.from({ length: 10 }, (_, index) => put(`c${index}`, fresh));
    const settled = Promise.allSettled(writing);
    await new Promise((done) => setTimeout(done, round * 3));
    await device.stop('certd', 'SIGKILL');
    await settled;
    await device.start('certd');
    for (let index = 0; index < 10; index++) expect([old, fresh]).toContain((await get(`c${index}`)).body.pem);
  });
});

describe('identityd killed while it writes', () => {
  let hub: HubSimulator;
  beforeEach(async () => {
    hub = await createHubSimulator({ pki });
  });
  afterEach(() => hub.close());

  it.each([1, 2, 3])('round %i: state files whole, the device comes back', async (round) => {
    const key = Buffer.alloc(32, 9);
    device.env['SSL_CERT_FILE'] = device.file('root.pem', pki.root.certificatePem);
    hub.registry.upsertDevice({
      deviceId: 'dev-01',
      authentication: { type: 'sas', primaryKey: key.toString('base64'), secondaryKey: key.toString('base64') },
    });
    await startCertd();
    await device.stop('keyd');
    device.configure(
      'keyd',
      `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n[preloaded_keys]\ndevice-id = "file://${device.file('key', key)}"`,
    );
    await device.start('keyd');
    device.configure(
      'identityd',
      `hostname = "dev"\nhomedir = "${device.path('identityd')}"
[[principal]]\nuid = 1000\nname = "agent"\nidtype = ["module"]
[provisioning]\nsource = "manual"\niothub_hostname = "${hub.hostName}"\ndevice_id = "dev-01"
[provisioning.authentication]\nmethod = "sas"\ndevice_id_pk = "device-id"`,
    );
    await device.start('identityd');
    const reprovision = () => device.call('identityd', 'POST', `/identities/device/reprovision?${IDENTITYD_V}`);
    expect((await reprovision()).status).toBe(204);
    const again = Promise.allSettled([reprovision(), reprovision()]);
    await new Promise((done) => setTimeout(done, 10 + round * 15));
    await device.stop('identityd', 'SIGKILL');
    await again;
    const info = readFileSync(device.path('identityd/device_info'), 'utf8');
    expect(info).toMatch(/^hub_name = ".+"\nlocal_gateway_hostname = ".+"\ndevice_id = "dev-01"\n$/);
    await device.start('identityd');
    expect((await device.call('identityd', 'POST', `/identities/device?${IDENTITYD_V}`, { type: '' })).status).toBe(
      200,
    );
    expect((await reprovision()).status).toBe(204);
    expect(hub.registry.listModules('dev-01')).toHaveLength(1);
  });
});

describe('certd: other users, folders, configuration', () => {
  it.skipIf(!isRoot)('CS-011 to CS-014 (skipped unless root): anybody reads, only principals write', async () => {
    await startCertd('[[principal]]\nuid = 4321\ncerts = ["dev*"]');
    const { chmodSync } = await import('node:fs');
    chmodSync(device.socket('certd'), 0o666);
    expect((await put('device-id', pki.root.certificatePem, 4321)).status).toBe(201);
    expect(await put('other', pki.root.certificatePem, 4321)).toEqual({
      status: 401,
      body: { message: 'user 4321 is not authorized to modify the cert other' },
    });
    expect((await device.call('certd', 'GET', `/certificates/device-id?${CERTD_V}`, undefined, 4322)).body.pem).toBe(
      pki.root.certificatePem,
    );
    expect((await device.call('certd', 'DELETE', `/certificates/device-id?${CERTD_V}`, undefined, 4322)).status).toBe(
      401,
    );
  });

  it('a home that cannot be written: 500 without its path, the daemon lives and still reads', async () => {
    const preloaded = device.file('pre.pem', pki.root.certificatePem);
    device.configure('keyd', `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"`);
    writeFileSync(device.path('files/plain'), '');
    device.configure(
      'certd',
      `homedir_path = "${device.path('files/plain')}"\n[preloaded_certs]\npre = "file://${preloaded}"`,
    );
    await device.start('keyd');
    await device.start('certd');
    expect(await put('x', pki.root.certificatePem)).toEqual({ status: 500, body: { message: 'internal error' } });
    expect((await get('pre')).status).toBe(200);
    expect(device.alive('certd')).toBe(true);
  });

  it('CS-078: an unknown key starts with a warning; a wrong type ends it with 1', async () => {
    await startCertd('max_request = 5');
    expect(device.log('certd')).toMatch(/WARN[^\n]*certd\.toml:2: key "max_request"[^\n]*"max_requests"/);
    await device.stop('certd');
    device.configure('certd', `homedir_path = 5`);
    await device.start('certd');
    expect(await device.stop('certd')).toBe(1);
    expect(device.log('certd')).toMatch(/certd\.toml:1: key "homedir_path"/);
    expect(readdirSync(device.path('certd'))).toEqual([]);
  });
});
