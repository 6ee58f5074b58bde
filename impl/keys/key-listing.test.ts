import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { objectFileName } from '../files/index.ts';
import type { KeyList } from './key-listing.ts';
import { KeydWorld, PIN, SOFTHSM, USER } from './testing/world.ts';

const HELLO = 'aGVsbG8=';
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
let world: KeydWorld;
beforeEach(() => {
  world = new KeydWorld();
});
afterEach(() => world.remove());

async function list(query = '', uid = 0): Promise<KeyList> {
  const answer = await world.call('GET', `/keys${query}`, undefined, { uid });
  expect(answer.status).toBe(200);
  return answer.body as unknown as KeyList;
}
const named = async (id: string, uid = 0) => (await list('', uid)).keys.filter((key) => key.id === id);

describe('GET /keys', () => {
  it('file keys: id, store, algorithm, extractable, last use', async () => {
    const given = join(world.folder, 'given');
    world.writeConfig({ more: `[preloaded_keys]\n"test-given" = "file://${given}"` });
    await world.start();
    await world.key('test-sym');
    await world.pair('test-ec');
    await world.pair('test-rsa', 'rsa-2048');
    const file = { store: 'file', extractable: true, preloaded: false, state: 'present', lastUsed: TIME };
    const { keys, counters } = await list();
    expect(keys).toEqual([
      { id: 'handle-validation-key', ...file, kind: 'key', algorithm: 'symmetric', lastUsed: null },
      { id: 'test-ec', ...file, kind: 'key-pair', algorithm: 'ec-p256' },
      { id: 'test-given', store: 'file', preloaded: true, state: 'missing', lastUsed: null },
      { id: 'test-rsa', ...file, kind: 'key-pair', algorithm: 'rsa-2048' },
      { id: 'test-sym', ...file, kind: 'key', algorithm: 'symmetric' },
    ]);
    expect(counters).toMatchObject({ token_fallbacks: 0, token_failures: 0 });
  });

  it('others than root see their own ids only, and nothing else', async () => {
    world.writeConfig();
    await world.start();
    await world.key('test1');
    await world.key('other');
    const { keys, ...rest } = await list('', USER);
    expect(keys.map(({ id }) => id)).toEqual(['test1']);
    expect(rest).toEqual({});
    expect((await list('', 4002)).keys).toEqual([]);
  });

  it('is a path of 2021-05-01 only, and GET only', async () => {
    world.writeConfig();
    await world.start();
    expect((await world.call('GET', '/keys', undefined, { version: '2020-09-01' })).status).toBe(404);
    expect((await world.post('/keys', {})).body).toEqual({ message: 'method not allowed' });
  });

  it('keys of a folder that was taken over: by file name until used, the well-known ones by id', async () => {
    mkdirSync(world.keysFolder);
    const put = (id: string, content: string) =>
      writeFileSync(join(world.keysFolder, objectFileName(id, '.key')), content);
    put('test-old', 'secret');
    put('device-id', 'secret');
    put('test-empty', '');
    world.writeConfig();
    await world.start();
    const before = (await list()).keys;
    expect(before.map(({ id, file, state }) => id ?? `${file?.split('-')[0]} ${state}`)).toEqual([
      'device-id',
      'testempty empty',
      'testold present',
    ]);
    expect((await list('', USER)).keys).toEqual([]);
    await world.call('GET', '/key/test-old');
    expect(await named('test-old', USER)).toMatchObject([{ algorithm: 'symmetric', lastUsed: TIME }]);
  });

  it('ids and last uses outlive keyd; a deleted key is gone, a moved one has its new id', async () => {
    world.writeConfig();
    await world.start();
    const handle = await world.key('test1');
    const gone = await world.key('test-gone');
    await world.pair('test-from');
    await world.hmac(handle, HELLO);
    await world.call('DELETE', '/key', { keyHandle: gone });
    await world.post('/keypair/test-to', { from: 'test-from' });
    const [before] = await named('test1');
    await world.restart();
    expect(await named('test1')).toEqual([before]);
    expect((await list('', USER)).keys.map(({ id }) => id)).toEqual(['test-to', 'test1']);
    expect(readFileSync(join(world.home, 'key-ids.jsonl'), 'utf8')).not.toContain(HELLO);
  });

  it('comes in pages', async () => {
    world.writeConfig();
    await world.start();
    for (const id of ['test-a', 'test-b', 'test-c']) await world.key(id);
    const first = await list('?limit=2', USER);
    expect(first.keys.map(({ id }) => id)).toEqual(['test-a', 'test-b']);
    const second = await list(`?limit=2&after=${encodeURIComponent(first.next ?? '')}`, USER);
    expect(second.keys.map(({ id }) => id)).toEqual(['test-c']);
    expect(second.next).toBeUndefined();
    for (const limit of ['0', '-1', 'x', '1001', '']) {
      const answer = await world.call('GET', `/keys?limit=${limit}`);
      expect([answer.status, answer.body['message']]).toEqual([400, expect.stringContaining('parameter "limit"')]);
    }
  });

  it.skipIf(SOFTHSM === undefined)(
    'token keys (skipped without SoftHSM), and copies in files that they hide',
    async () => {
      mkdirSync(world.keysFolder);
      writeFileSync(join(world.keysFolder, objectFileName('test-hmac', '.key')), 'older');
      const more = `[preloaded_keys]\n"test-first" = "pkcs11:token=tok?pin-value=${PIN}"\n"test-none" = "pkcs11:token=tok;object=none?pin-value=${PIN}"`;
      world.writeConfig({ parameters: world.makeToken(), more });
      world.tool('--keygen', '--key-type', 'AES:32', '--label', 'test-outside', '--extractable');
      await world.start();
      await world.post('/key', { keyId: 'test-hmac', usage: 'sign', keyBytes: HELLO });
      await world.key('test-aes', 'encrypt');
      await world.pair('test-ec');
      const inToken = {
        store: 'token',
        token: 'tok',
        extractable: false,
        preloaded: false,
        state: 'present',
        lastUsed: TIME,
      };
      expect(await named('test-hmac')).toEqual([
        { id: 'test-hmac', ...inToken, kind: 'key', algorithm: 'hmac-sha256' },
        {
          id: 'test-hmac',
          store: 'file',
          kind: 'key',
          algorithm: 'symmetric',
          extractable: true,
          preloaded: false,
          state: 'present',
          shadowed: true,
          lastUsed: TIME,
        },
      ]);
      expect(await named('test-aes')).toMatchObject([{ ...inToken, algorithm: 'aes' }]);
      expect(await named('test-ec')).toMatchObject([{ ...inToken, kind: 'key-pair', algorithm: 'ec-p256' }]);
      expect(await named('test-outside')).toMatchObject([{ algorithm: 'aes', extractable: true, lastUsed: null }]);
      expect(await named('test-none')).toMatchObject([{ store: 'token', preloaded: true, state: 'missing' }]);
      expect((await named('test-first')).map(({ kind }) => kind)).toEqual(['key', 'key-pair']);
      expect(await named('handle-validation-key')).toMatchObject([{ store: 'token' }]);
    },
  );
});
