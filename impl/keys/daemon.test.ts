import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { objectFileName } from '../files/index.ts';
import { KeydWorld, USER } from './testing/world.ts';

const HELLO = 'aGVsbG8=';
const BAD = { status: 400, body: { message: 'a parameter has an invalid value' } };
const INVALID_HANDLE = {
  status: 400,
  body: { message: 'parameter "handle" has an invalid value\ncaused by: invalid handle' },
};
const unauthorized = (id: string, uid = USER) => ({
  status: 401,
  body: { message: `user ${uid} is not authorized to access the key ${id}` },
});
let world: KeydWorld;
beforeEach(() => {
  world = new KeydWorld();
});
afterEach(() => world.remove());

async function started(more = ''): Promise<void> {
  world.writeConfig({ more });
  await world.start();
}

describe('authorisation', () => {
  it('KS-027, KS-028, KS-029, KS-030: by uid and id, after the shape of the body', async () => {
    await started();
    const user = { uid: USER };
    expect(await world.post('/key', { keyId: 'other', usage: 'sign' }, user)).toEqual(unauthorized('other'));
    expect(await world.call('GET', '/key/other', undefined, user)).toEqual(unauthorized('other'));
    expect(await world.call('GET', '/keypair/other', undefined, user)).toEqual(unauthorized('other'));
    expect(await world.post('/keypair', { keyId: 'other' }, user)).toEqual(unauthorized('other'));
    expect((await world.post('/key', { keyId: 'other' }, user)).status).toBe(422);
    expect(await world.post('/key', { keyId: 'test1', usage: 'sign' }, { uid: 4002 })).toEqual(
      unauthorized('test1', 4002),
    );
    expect((await world.post('/key', { keyId: 'test1', usage: 'sign' }, user)).status).toBe(200);
  });

  it('KS-034: a handle is a bearer token', async () => {
    await started();
    const handle = await world.key('test1');
    expect((await world.hmac(handle, HELLO, { uid: 4002 })).status).toBe(200);
    expect((await world.call('DELETE', '/key', { keyHandle: handle }, { uid: 4002 })).status).toBe(204);
  });

  it("KS-042: the key that signs handles is nobody's, by id or by handle", async () => {
    await started();
    await world.key('test1');
    const id = 'handle-validation-key';
    const refused = unauthorized(id, 0);
    expect(await world.call('GET', `/key/${id}`)).toEqual(refused);
    expect(await world.call('GET', `/keypair/${id}`)).toEqual(refused);
    expect(await world.post('/key', { keyId: id, usage: 'sign' })).toEqual(refused);
    expect(await world.post('/key', { keyId: id, usage: 'sign', keyBytes: HELLO })).toEqual(refused);
    expect(await world.post('/keypair', { keyId: id })).toEqual(refused);
    expect(await world.post(`/keypair/${id}`, { from: 'test1' })).toEqual(refused);
    expect(await world.post('/keypair/test1', { from: id })).toEqual(refused);
    const secret = readFileSync(join(world.keysFolder, objectFileName(id, '.key')));
    const token = Buffer.from(JSON.stringify({ key_id: { Key: id }, nonce: '' }));
    const forged = `sr=${token.toString('base64')}&sig=${createHmac('sha256', secret).update(token).digest('base64')}`;
    expect(await world.hmac(forged, HELLO)).toEqual(refused);
    expect(await world.call('DELETE', '/key', { keyHandle: forged })).toEqual(refused);
    const derived = await world.post('/derivedkey', { baseKeyHandle: forged, derivationData: '' });
    expect(derived).toEqual(refused);
  });
});

describe("identityd's master key", () => {
  const id = 'aziot_identityd_master_id';
  const ask = (uid: number) => world.post('/key', { keyId: id, usage: 'derive' }, { uid });

  it('is for root and a principal that names it, not for one with a wildcard', async () => {
    await started(`[[principal]]\nuid = 4002\nkeys = ["*"]\n[[principal]]\nuid = 4003\nkeys = ["${id}"]`);
    expect(await ask(4002)).toEqual(unauthorized(id, 4002));
    expect([(await ask(4003)).status, (await ask(0)).status]).toEqual([200, 200]);
    expect(await world.post(`/keypair/${id}`, { from: 'test1' }, { uid: 4002 })).toEqual(unauthorized(id, 4002));
    expect(world.lines.join('')).toMatch(/<4>.*principal 4002 .*does not count/);
  });

  it('a wildcard counts as long as nobody names it, with a warning', async () => {
    await started('[[principal]]\nuid = 4002\nkeys = ["*"]');
    expect((await ask(4002)).status).toBe(200);
    expect(world.lines.join('')).toMatch(/<4>.*principal 4002 .*name that id/);
  });
});

describe('handles over restarts', () => {
  it('KS-061: they end with the handle-validation key only', async () => {
    await started();
    const handle = await world.key('test1');
    await world.restart();
    expect((await world.hmac(handle, HELLO)).status).toBe(200);
    rmSync(join(world.keysFolder, objectFileName('handle-validation-key', '.key')));
    await world.restart();
    expect(await world.hmac(handle, HELLO)).toEqual(INVALID_HANDLE);
    expect((await world.hmac(await world.key('test1'), HELLO)).status).toBe(200);
  });

  it('KS-059, KS-106: a folder of another keyd is taken over, its handles and keys work', async () => {
    const bytes = Buffer.from(Array.from({ length: 32 }, (_, at) => at));
    mkdirSync(world.keysFolder, { mode: 0o755 });
    const put = (id: string) =>
      writeFileSync(join(world.keysFolder, objectFileName(id, '.key')), bytes, { mode: 0o644 });
    for (const id of ['handle-validation-key', 'device-id']) put(id);
    await started();
    const token = Buffer.from(`{"key_id":{"Key":"device-id"},"nonce":"${Buffer.alloc(64).toString('base64')}"}`);
    const handle = `sr=${token.toString('base64')}&sig=${createHmac('sha256', bytes).update(token).digest('base64')}`;
    expect((await world.hmac(handle, HELLO)).body['signature']).toBe('U8QCcqcMFcpO4K9N8fFV/WxB4AziMH2Jh+zUuzan6ZA=');
  });

  it('KS-063: a handle is a string', async () => {
    await started();
    expect((await world.post('/derivedkey/export', { keyHandle: 5 })).status).toBe(422);
  });

  it('KS-094: an unfinished write is never a key and goes at the next start', async () => {
    await started();
    await world.key('test1');
    writeFileSync(join(world.keysFolder, '.test2.key.tmp-0011223344556677'), 'half');
    await world.restart();
    expect(world.keyFiles().some((name) => name.startsWith('.'))).toBe(false);
  });
});

describe('configuration', () => {
  it.each([
    ['[aziot_keys]\nhomedir = "/x"', /aziot_keys.homedir/],
    ['[aziot_keys]\nhomedir_path = 5', /aziot_keys.homedir_path/],
    ['[preloaded_keys]\na = "http://x"', /preloaded key "a"/],
    ['[preloaded_keys]\n"" = "file:///x"', /empty/],
    ['max_requests = 0', /max_requests/],
    ['max_requests = -1', /max_requests/],
    ['[[principal]]\nuid = -1\nkeys = []', /uid/],
    ['[[principal]]\nuid = 1', /keys/],
    ['[aziot_keys', /config.toml/],
  ])('KS-025, KS-041: %j stops the start', async (text, message) => {
    writeFileSync(world.configFile, `${text}\n`);
    await expect(world.start()).rejects.toThrow(message);
  });

  it('KS-040: without a home folder there is no place for keys; preloaded files work and handles with them', async () => {
    const given = join(world.folder, 'given');
    writeFileSync(given, 'secret');
    writeFileSync(
      world.configFile,
      `[endpoints]\naziot_keyd = "unix://${world.socketPath}"\n[preloaded_keys]\ntest1 = "file://${given}"\n`,
    );
    await world.start();
    expect(await world.post('/key', { keyId: 'test2', usage: 'sign' })).toEqual(BAD);
    expect(await world.post('/key', { keyId: 'x', usage: 'sign' }, { uid: USER })).toEqual(unauthorized('x'));
    const handle = (await world.call('GET', '/key/test1')).body['keyHandle'] ?? '';
    const mac = createHmac('sha256', 'secret').update('hello').digest('base64');
    expect((await world.hmac(handle, HELLO)).body['signature']).toBe(mac);
    expect(world.lines.join('')).toContain('homedir_path is not set');
  });

  it('KS-026: both versions serve every route', async () => {
    await started();
    const handle = await world.key('test1');
    const old = { version: '2020-09-01' };
    expect((await world.call('DELETE', '/key', { keyHandle: handle }, old)).status).toBe(204);
    await world.pair('test-a');
    expect((await world.post('/keypair/test-b', { from: 'test-a' }, old)).status).toBe(204);
  });

  it('KS-032, KS-035, KS-036, KS-037, KS-038: principals are read again, nothing else is', {
    timeout: 60_000,
  }, async () => {
    const folder = join(world.folder, 'config.d');
    const principal = `[[principal]]\nuid = ${USER}\nkeys = ["other*"]\n`;
    await started();
    const ask = () => world.call('POST', '/key', { keyId: 'other1', usage: 'sign' }, { uid: USER });
    expect((await ask()).status).toBe(401);
    mkdirSync(folder);
    writeFileSync(join(world.folder, 'linked'), principal);
    symlinkSync(join(world.folder, 'linked'), join(folder, 'z.toml'));
    writeFileSync(join(folder, 'x.conf'), principal);
    // replaced as editors do, with another home folder that must not count
    const text = readFileSync(world.configFile, 'utf8').replace(world.home, `${world.home}2`);
    writeFileSync(`${world.configFile}.new`, `${text}\n${principal}`);
    renameSync(`${world.configFile}.new`, world.configFile);
    const until = Date.now() + 14_000;
    let answer = await ask();
    while (answer.status === 401 && Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 250));
      answer = await ask();
    }
    expect(answer.status).toBe(200);
    expect((await world.post('/key', { keyId: 'test1', usage: 'sign' }, { uid: USER })).status).toBe(200);
    expect(world.keyFiles()).toContain(objectFileName('other1', '.key'));
  });
});
