import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Device, KEYD_V, softHsmModule, until } from './support/device.ts';

const isRoot = process.getuid?.() === 0;
let device: Device;

beforeEach(() => {
  device = new Device();
});
afterEach(() => device.close());

async function start(keys: string, rest = ''): Promise<void> {
  device.configure('keyd', `${rest}\n[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n${keys}`);
  await device.start('keyd');
}

const create = (id: string) =>
  device.call('keyd', 'POST', `/keypair?${KEYD_V}`, { keyId: id, preferredAlgorithms: 'ec-p256' });
const load = (id: string) => device.call('keyd', 'GET', `/keypair/${id}?${KEYD_V}`);
const signs = async (keyHandle: string) =>
  (
    await device.call('keyd', 'POST', `/sign?${KEYD_V}`, {
      keyHandle,
      algorithm: 'ECDSA',
      parameters: { digest: Buffer.alloc(32).toString('base64') },
    })
  ).status;

describe('a token', () => {
  it.skipIf(!softHsmModule)(
    'with a wrong PIN (skipped without SoftHSM): 500, the log says so once, preloaded file keys work',
    async () => {
      const file = device.file('hmac', Buffer.alloc(32, 1));
      await start(device.token('9999'), '');
      await device.stop('keyd');
      device.configure(
        'keyd',
        `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\npkcs11_lib_path = "${softHsmModule}"\npkcs11_base_slot = "pkcs11:token=device?pin-value=9999"\n[preloaded_keys]\nin-file = "file://${file}"`,
      );
      await device.start('keyd');
      for (const _ of [1, 2, 3, 4])
        expect(await create('x')).toEqual({ status: 500, body: { message: 'internal error' } });
      expect(device.alive('keyd')).toBe(true);
      await device.logged('keyd', /PIN/);
      expect(device.log('keyd')).not.toContain('9999');
      await device.stop('keyd');
      device.configure(
        'keyd',
        `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\npkcs11_lib_path = "${softHsmModule}"\npkcs11_base_slot = "pkcs11:token=device?pin-value=1234"`,
      );
      await device.start('keyd');
      expect((await create('x')).status, 'the token was not locked by tries').toBe(200);
    },
  );
});

describe('kill -9 while keys are made', () => {
  it.each([1, 2, 3, 4, 5, 6])('KS-094: round %i: what was answered is there, nothing is half', async (round) => {
    await start('');
    const answered: string[] = [];
    const making = Array.from({ length: 40 }, async (_, index) => {
      const { status } = await create(`k${index}`);
      if (status === 200) answered.push(`k${index}`);
    });
    const settled = Promise.allSettled(making);
    await until(
      () => answered.length >= 2 * round,
      10_000,
      () => 'no key was made',
    );
    await device.stop('keyd', 'SIGKILL');
    await settled;
    await device.start('keyd');
    for (const id of answered) expect(await signs((await load(id)).body.keyHandle), id).toBe(200);
    for (const name of readdirSync(device.path('keyd/keys'))) {
      if (!name.startsWith('k') || !name.endsWith('.key')) continue;
      expect(readFileSync(device.path('keyd/keys', name), 'utf8'), name).toMatch(
        /^-----BEGIN PRIVATE KEY-----\n[\s\S]+-----END PRIVATE KEY-----\n$/,
      );
    }
  });
});

describe('what the file system refuses', () => {
  it.skipIf(!isRoot)(
    'KS-056: a folder that cannot be written (skipped unless root: keyd runs as another user): 500 without its path',
    async () => {
      mkdirSync(device.path('keyd/keys'), { mode: 0o555 });
      // a file in the place of the folder stops root too
      device.configure('keyd', `[aziot_keys]\nhomedir_path = "${device.path('files/plain')}"`);
      writeFileSync(device.path('files/plain'), '');
      await device.start('keyd');
      expect(await create('x')).toEqual({ status: 500, body: { message: 'internal error' } });
      await device.logged('keyd', new RegExp(device.path('files/plain')));
      expect(device.alive('keyd')).toBe(true);
      chmodSync(device.path('keyd/keys'), 0o755);
    },
  );
});

describe('other users', () => {
  it.skipIf(!isRoot)('KS-027, KS-030 (skipped unless root): what no principal grants is refused with 401', async () => {
    await start('', '');
    await device.stop('keyd');
    device.configure(
      'keyd',
      `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n[[principal]]\nuid = 4321\nkeys = ["mine*"]`,
    );
    await device.start('keyd');
    chmodSync(device.socket('keyd'), 0o666);
    const as = (uid: number, keyId: string) =>
      device.call('keyd', 'POST', `/key?${KEYD_V}`, { keyId, usage: 'sign' }, uid);
    expect((await as(4321, 'mine-1')).status).toBe(200);
    expect(await as(4321, 'other')).toEqual({
      status: 401,
      body: { message: 'user 4321 is not authorized to access the key other' },
    });
    expect((await as(4322, 'mine-1')).status).toBe(401);
    expect((await as(4321, 'handle-validation-key')).status).toBe(401);
    expect((await as(0, 'handle-validation-key')).status, 'nobody, root neither').toBe(401);
  });
});

describe('configuration of keyd', () => {
  it('an unknown key starts with a warning that names file, line and the key meant', async () => {
    await start('', 'max_request = 5');
    expect((await create('x')).status).toBe(200);
    expect(device.log('keyd')).toMatch(/WARN[^\n]*keyd\.toml:1: key "max_request"[^\n]*"max_requests"/);
  });

  it('KS-041: an unknown name in [aziot_keys] ends it with 1', async () => {
    await start('homedir = "/x"');
    expect(await device.stop('keyd')).toBe(1);
    expect(device.log('keyd')).toMatch(/homedir/);
  });

  it.skipIf(!isRoot)('KS-032 (skipped unless root): the lists of a duplicate uid add up', async () => {
    device.configure(
      'keyd',
      `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"\n[[principal]]\nuid = 4321\nkeys = ["a"]\n[[principal]]\nuid = 4321\nkeys = ["b"]`,
    );
    await device.start('keyd');
    chmodSync(device.socket('keyd'), 0o666);
    for (const keyId of ['a', 'b'])
      expect((await device.call('keyd', 'POST', `/key?${KEYD_V}`, { keyId, usage: 'sign' }, 4321)).status).toBe(200);
  });
});
