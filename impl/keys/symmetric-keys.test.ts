import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectFileName } from '../files/index.ts';
import { STORES, worldOf } from './testing/stores.ts';
import { type KeydWorld, USER } from './testing/world.ts';

const BAD = { status: 400, body: { message: 'a parameter has an invalid value' } };
const KEY = Buffer.from(Array.from({ length: 32 }, (_, at) => at)).toString('base64');
const HELLO = 'aGVsbG8=';

describe.each(STORES)('symmetric keys in $store', ({ store, skip }) => {
  if (skip) {
    it.skip('needs SoftHSM (apt install softhsm2)', () => undefined);
    return;
  }
  let world: KeydWorld;
  const fileOf = (id: string) => join(world.keysFolder, objectFileName(id, '.key'));
  beforeAll(async () => {
    world = await worldOf(store);
  });
  afterAll(() => world.remove());

  it('KS-043, KS-044: a key is made once, each call answers another handle, all of them work', async () => {
    const first = await world.key('test1');
    const before = store === 'files' ? readFileSync(fileOf('test1')) : undefined;
    const second = await world.key('test1');
    expect(first).toMatch(/^sr=/);
    expect(second).not.toBe(first);
    expect(await world.hmac(first, HELLO)).toEqual(await world.hmac(second, HELLO));
    if (before) {
      expect(before).toHaveLength(32);
      expect(readFileSync(fileOf('test1'))).toEqual(before);
      expect(statSync(fileOf('test1')).mode & 0o777).toBe(0o600);
      expect(statSync(world.keysFolder).mode & 0o777).toBe(0o700);
    }
  });

  it('KS-045: load', async () => {
    await world.key('test-load');
    expect((await world.call('GET', '/key/test-load', undefined, { uid: USER })).status).toBe(200);
    expect(await world.call('GET', '/key/testnone')).toEqual(BAD);
  });

  it.each([undefined, '', 'sign, derive', 'Sign', 'wrap', 'sign,'])('KS-046: usage %j is refused', async (usage) => {
    expect((await world.post('/key', { keyId: 'test-usage', usage })).status).toBe(422);
  });

  it('KS-046: mixed usage', async () => {
    const answer = await world.post('/key', { keyId: 'test-mixed', usage: 'derive,sign,encrypt' });
    if (store === 'files') expect(answer.status).toBe(200);
    else expect(answer).toEqual(BAD);
    await world.key('test-mixed-there', 'sign');
    expect((await world.post('/key', { keyId: 'test-mixed-there', usage: 'sign,encrypt' })).status).toBe(200);
  });

  it('KS-047: import stores exactly these bytes and overwrites', async () => {
    const long = Buffer.alloc(64, 7).toString('base64');
    expect((await world.post('/key', { keyId: 'test-imp', keyBytes: long })).status).toBe(422);
    const handle = await world.key('test-imp', 'sign', long);
    if (store === 'files') expect(readFileSync(fileOf('test-imp'))).toEqual(Buffer.alloc(64, 7));
    await world.key('test-imp', 'sign', KEY);
    expect((await world.hmac(handle, HELLO)).body['signature']).toBe('U8QCcqcMFcpO4K9N8fFV/WxB4AziMH2Jh+zUuzan6ZA=');
    if (store === 'softhsm') expect(world.tokenObjects('test-imp')).toHaveLength(1);
  });

  it.each(['-_-_-_-_', 'AAA', 'AAAA\nAAAA', 'AB==', ''])(
    'KS-048, KS-049: keyBytes %j change nothing',
    async (bytes) => {
      const handle = await world.key('test-kept', 'sign', KEY);
      expect((await world.post('/key', { keyId: 'test-kept', usage: 'sign', keyBytes: bytes })).status).toBe(422);
      expect((await world.hmac(handle, HELLO)).body['signature']).toBe('U8QCcqcMFcpO4K9N8fFV/WxB4AziMH2Jh+zUuzan6ZA=');
    },
  );

  it('KS-048: keyBytes null generates', async () => {
    expect((await world.post('/key', { keyId: 'test-null', usage: 'sign', keyBytes: null })).status).toBe(200);
  });

  it('KS-051: delete', async () => {
    const keyHandle = await world.key('test-del');
    for (const time of ['first', 'second']) {
      expect(await world.call('DELETE', '/key', { keyHandle }), time).toEqual({ status: 204, body: {} });
    }
    expect(await world.hmac(keyHandle, HELLO)).toEqual(BAD);
    expect(await world.call('GET', '/key/test-del')).toEqual(BAD);
  });

  it('KS-052, KS-053: delete takes the handle of a key only', async () => {
    const pair = await world.pair('test-pair');
    const base = await world.key('test-base');
    const derived = await world.post('/derivedkey', { baseKeyHandle: base, derivationData: '' });
    for (const keyHandle of [pair, derived.body['keyHandle']]) {
      const { status, body } = await world.call('DELETE', '/key', { keyHandle });
      expect([status, body['message']]).toEqual([
        400,
        'parameter "handle" has an invalid value\ncaused by: handle is not for a key',
      ]);
    }
    expect((await world.call('DELETE', '/key')).body['message']).toBe('missing request body');
    expect((await world.call('DELETE', '/keypair', { keyHandle: base })).body['message']).toContain(
      'handle is not for a key pair',
    );
  });

  it('KS-054: ids in a path are percent-decoded, NUL is refused', async () => {
    await world.key('test/a b');
    expect((await world.call('GET', '/key/test%2Fa%20b', undefined, { uid: USER })).status).toBe(200);
    expect((await world.call('GET', '/key/test%00x')).body['message']).toBe(
      'parameter "id" has an invalid value\ncaused by: nul byte found in provided data at position: 4',
    );
    expect((await world.post('/key', { keyId: 'testÜ\0x', usage: 'sign' })).body['message']).toContain('position: 6');
  });

  it('KS-055: an empty id and one that names no file are refused', async () => {
    for (const keyId of ['', 'a'.repeat(300), 'Ü'.repeat(2000)]) {
      expect((await world.post('/key', { keyId, usage: 'sign' })).status).toBe(400);
      expect((await world.post('/keypair', { keyId })).status).toBe(400);
    }
    expect((await world.post('/key', { keyId: 'a'.repeat(186), usage: 'sign' })).status).toBe(200);
    expect((await world.post('/key', { keyId: 'testÜnï', usage: 'sign' }, { uid: USER })).status).toBe(200);
  });

  it('KS-093: parallel creations of one key agree', async () => {
    const handles = await Promise.all(Array.from({ length: 8 }, () => world.key('test-parallel')));
    const macs = await Promise.all(handles.map((handle) => world.hmac(handle, HELLO)));
    expect(new Set(macs.map(({ body }) => body['signature'])).size).toBe(1);
  });

  it('KS-095: where the keys are', async () => {
    await world.key('test-where');
    if (store === 'files') expect(existsSync(fileOf('test-where'))).toBe(true);
    else {
      expect(world.keyFiles()).toEqual([]);
      expect(world.tokenObjects('test-where')[0]).toMatch(/Secret Key Object[\s\S]*sensitive[\s\S]*never extractable/);
      expect(world.tokenObjects('handle-validation-key')).toHaveLength(1);
    }
  });
});

describe('symmetric key files', () => {
  let world: KeydWorld;
  const fileOf = (id: string) => join(world.keysFolder, objectFileName(id, '.key'));
  beforeAll(async () => {
    world = await worldOf('files');
    await world.key('test-any');
  });
  afterAll(() => world.remove());

  it('KS-050: an empty file is a fault for load and no key for create', async () => {
    writeFileSync(fileOf('test-empty'), '');
    expect((await world.call('GET', '/key/test-empty')).status).toBe(500);
    expect(await world.key('test-empty')).toMatch(/^sr=/);
    expect(readFileSync(fileOf('test-empty'))).toHaveLength(32);
    const path = fileOf('test-empty');
    expect(world.lines.join('')).toContain(`key file ${path} is empty; a new key is made in its place`);
  });

  it('empty files are named at start', async () => {
    writeFileSync(fileOf('test-left'), '');
    await world.restart();
    await expect
      .poll(() => world.lines.join(''))
      .toContain(`key file ${fileOf('test-left')} is empty; put its bytes back`);
    expect(readFileSync(fileOf('test-left'))).toHaveLength(0);
  });

  it.each(['-----BEGIN PRI', '-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMG'])(
    'a cut-off PEM file (%j) is no symmetric key, is named, and is kept',
    async (content) => {
      writeFileSync(fileOf('test-cut'), content);
      expect(await world.call('GET', '/key/test-cut')).toEqual(BAD);
      expect((await world.call('GET', '/keypair/test-cut')).status).toBe(500);
      for (const keyBytes of [undefined, KEY]) {
        expect(await world.post('/key', { keyId: 'test-cut', usage: 'sign', keyBytes })).toEqual(BAD);
      }
      expect(await world.post('/keypair', { keyId: 'test-cut' })).toEqual(BAD);
      expect(readFileSync(fileOf('test-cut'), 'utf8')).toBe(content);
      expect(world.lines.join('')).toContain(`key file ${fileOf('test-cut')} cannot be used`);
    },
  );

  it('a change of the file counts at once', async () => {
    const handle = await world.key('test-change', 'sign', Buffer.alloc(32, 1).toString('base64'));
    const macs = new Set<string | undefined>();
    for (let round = 0; round < 20; round++) {
      writeFileSync(fileOf('test-change'), Buffer.alloc(32, round + 2));
      macs.add((await world.hmac(handle, HELLO)).body['signature']);
    }
    expect(macs.size).toBe(20);
  });

  it('KS-089: a key pair is neither used nor replaced as a symmetric key, and the reverse', async () => {
    await world.pair('test-is-pair');
    await world.key('test-is-key');
    const files = ['test-is-pair', 'test-is-key'].map((id) => readFileSync(fileOf(id)));
    for (const keyBytes of [undefined, KEY]) {
      expect(await world.post('/key', { keyId: 'test-is-pair', usage: 'sign', keyBytes })).toEqual(BAD);
    }
    expect(await world.post('/keypair', { keyId: 'test-is-key' })).toEqual(BAD);
    expect(['test-is-pair', 'test-is-key'].map((id) => readFileSync(fileOf(id)))).toEqual(files);
    expect(await world.call('GET', '/key/test-is-pair')).toEqual(BAD);
  });

  it('KS-107: a fault of the store is 500 without detail, the log has it', async () => {
    const { mkdirSync } = await import('node:fs');
    mkdirSync(fileOf('test-folder'));
    expect(await world.call('GET', '/key/test-folder')).toEqual({ status: 500, body: { message: 'internal error' } });
    expect(world.lines.some((line) => line.startsWith('<3>') && line.includes('is not a plain file'))).toBe(true);
  });
});
