import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { KeydWorld, PIN, SOFTHSM } from './testing/world.ts';

const HELLO = 'aGVsbG8=';
const FAULT = { status: 500, body: { message: 'internal error' } };
const BAD = { status: 400, body: { message: 'a parameter has an invalid value' } };
let world: KeydWorld;
afterEach(() => world.remove());

/** Processes that are children of this one and run the token host. */
function hostPids(): number[] {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return children.map(Number).filter((pid) => readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('host-main'));
}

describe.skipIf(SOFTHSM === undefined)('keys in a token', () => {
  it('KS-097: a wrong PIN is an error at first use and is not tried again', async () => {
    world = new KeydWorld();
    world.writeConfig({ parameters: world.makeToken('tok', '99999999') });
    await world.start();
    for (let time = 0; time < 4; time++)
      expect(await world.post('/key', { keyId: 'test1', usage: 'sign' })).toEqual(FAULT);
    const log = world.lines.join('');
    expect(log.match(/no other login is tried/g)).toHaveLength(1);
    expect(log).toContain('CKR_PIN_INCORRECT');
    expect(log).not.toContain('99999999');
  });

  it('KS-098: an unknown token or a missing module stops the start', async () => {
    world = new KeydWorld();
    const lines = world.makeToken();
    world.writeConfig({ parameters: lines.replace('token=tok', 'token=other') });
    await expect(world.start()).rejects.toThrow('no token is labelled "other"');
    world.writeConfig({ parameters: lines.replace(SOFTHSM ?? '', '/none.so') });
    await expect(world.start()).rejects.toThrow('/none.so could not be loaded');
    expect(hostPids()).toEqual([]);
  });

  it('KS-099: a slot by its number', async () => {
    world = new KeydWorld();
    const lines = world.makeToken();
    const slot = /^Slot (\d+)$/m.exec(world.softhsm('--show-slots'))?.[1];
    world.writeConfig({ parameters: lines.replace('token=tok', `slot-id=${slot};token=other`) });
    await world.start();
    expect(await world.key('test1')).toMatch(/^sr=/);
    expect(world.tokenObjects('test1')).toHaveLength(1);
  });

  it('KS-102: preloaded without object: the first key, never the one that signs handles; it cannot be deleted', async () => {
    world = new KeydWorld();
    const lines = world.makeToken();
    world.writeConfig({
      parameters: lines,
      more: `[preloaded_keys]\n"test-any" = "pkcs11:token=tok?pin-value=${PIN}"`,
    });
    await world.start();
    await world.pair('test-pair');
    expect(world.tokenObjects('handle-validation-key')).toHaveLength(1);
    expect(await world.call('GET', '/key/test-any')).toEqual(BAD);
    const own = await world.key('test1');
    const any = (await world.call('GET', '/key/test-any')).body['keyHandle'] ?? '';
    expect(await world.hmac(any, HELLO)).toEqual(await world.hmac(own, HELLO));
    expect(await world.call('DELETE', '/key', { keyHandle: any })).toEqual(BAD);
    const pair = await world.pair('test-any');
    expect((await world.ecdsa(pair, Buffer.alloc(32))).status).toBe(200);
    expect(await world.call('DELETE', '/keypair', { keyHandle: pair })).toEqual(BAD);
  });

  it('a killed token host costs a request, not keyd; file keys do not notice', async () => {
    world = new KeydWorld();
    world.writeConfig({
      parameters: world.makeToken(),
      more: `[preloaded_keys]\n"test-file" = "file://${join(world.folder, 'given')}"`,
    });
    await world.start();
    const token = await world.key('test1');
    const file = await world.key('test-file');
    const before = await world.hmac(token, HELLO);
    // the handle-validation key is in the token too: a handle that was opened before is believed for a while
    expect((await world.hmac(file, HELLO)).status).toBe(200);
    const [pid] = hostPids();
    process.kill(pid ?? 0, 'SIGKILL');
    expect((await world.hmac(file, HELLO)).status).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(await world.hmac(token, HELLO)).toEqual(before);
    expect(world.lines.join('')).toContain('the token host ended (SIGKILL)');
  });

  it('no PIN in the arguments or the environment of any process', async () => {
    world = new KeydWorld();
    world.writeConfig({ parameters: world.makeToken() });
    await world.start();
    await world.key('test1');
    for (const pid of hostPids()) {
      for (const file of ['cmdline', 'environ'])
        expect(readFileSync(`/proc/${pid}/${file}`, 'latin1')).not.toContain(PIN);
    }
    expect(world.lines.join('')).not.toContain(PIN);
  });

  it('a key that others removed from the token is missing at once', async () => {
    world = new KeydWorld();
    world.writeConfig({ parameters: world.makeToken() });
    await world.start();
    const handle = await world.key('test1');
    expect((await world.hmac(handle, HELLO)).status).toBe(200);
    world.tool('--delete-object', '--type', 'secrkey', '--label', 'test1');
    expect(await world.hmac(handle, HELLO)).toEqual(BAD);
  });

  it('a lost token costs its requests an error, keyd serves on', async () => {
    world = new KeydWorld();
    world.writeConfig({ parameters: world.makeToken() });
    await world.start();
    await world.key('test1');
    for (const name of readdirSync(join(world.folder, 'tokens')))
      rmSync(join(world.folder, 'tokens', name), { recursive: true });
    expect((await world.post('/key', { keyId: 'test2', usage: 'sign' })).status).toBeGreaterThanOrEqual(400);
    expect((await world.call('GET', '/nosuch')).status).toBe(404);
  });

  it('a pair beside a preloaded file is made in a file, so that it can be moved there', async () => {
    world = new KeydWorld();
    const given = join(world.folder, 'given');
    world.writeConfig({ parameters: world.makeToken(), more: `[preloaded_keys]\n"test-id" = "file://${given}"` });
    await world.start();
    await world.pair('test-id');
    await world.pair('test-id-temp');
    expect(world.tokenObjects('test-id-temp')).toEqual([]);
    expect((await world.post('/keypair/test-id', { from: 'test-id-temp' })).status).toBe(204);
    await world.pair('test-token-pair');
    expect(await world.post('/keypair/test-id', { from: 'test-token-pair' })).toEqual(BAD);
  });

  it('KS-106: keys that another program made in the token are used', async () => {
    world = new KeydWorld();
    world.writeConfig({ parameters: world.makeToken() });
    world.tool('--keypairgen', '--key-type', 'EC:prime256v1', '--label', 'test-own');
    await world.start();
    const answer = await world.call('GET', '/keypair/test-own');
    expect((await world.ecdsa(answer.body['keyHandle'] ?? '', Buffer.alloc(32))).status).toBe(200);
  });
});
