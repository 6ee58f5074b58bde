import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { objectFileName } from '../files/index.ts';
import { STORES, worldOf } from './testing/stores.ts';
import { KeydWorld, USER } from './testing/world.ts';

const BAD = { status: 400, body: { message: 'a parameter has an invalid value' } };
const unauthorized = (id: string) => ({
  status: 401,
  body: { message: `user ${USER} is not authorized to access the key ${id}` },
});

describe.each(STORES)('key pairs in $store', ({ store, skip }) => {
  if (skip) {
    it.skip('needs SoftHSM (apt install softhsm2)', () => undefined);
    return;
  }
  let world: KeydWorld;
  beforeAll(async () => {
    world = await worldOf(store);
  });
  afterAll(() => world.remove());

  const value = async (keyHandle: string, name: string) =>
    (await world.post(`/parameters/${name}`, { keyHandle })).body['value'] ?? '';

  it.each([
    [undefined, 'ECDSA', 0],
    ['*', 'ECDSA', 0],
    ['rsa-2048', 'RSA', 256],
    ['foo:rsa-2048', 'RSA', 256],
    ['rsa-4096', 'RSA', 512],
  ])('KS-083: preference %j', async (preference, algorithm, modulusBytes) => {
    const handle = await world.pair(`test-pref-${preference ?? 'none'}`, preference);
    expect(await value(handle, 'algorithm')).toBe(algorithm);
    expect(Buffer.from(await value(handle, 'rsa-modulus'), 'base64')).toHaveLength(modulusBytes);
  });

  it('KS-083, KS-084: a preference counts only when the pair is made', async () => {
    for (const preferredAlgorithms of ['foo', '']) {
      expect(await world.post('/keypair', { keyId: 'test-no', preferredAlgorithms })).toEqual(BAD);
    }
    await world.pair('test-there', 'rsa-2048');
    for (const preference of ['foo', 'ec-p256']) {
      expect(await value(await world.pair('test-there', preference), 'algorithm')).toBe('RSA');
    }
    const nul = await world.post('/keypair', { keyId: 'test-there', preferredAlgorithms: 'a\0' });
    expect(nul.body['message']).toContain('parameter "preferred_algorithms" has an invalid value');
  });

  it('KS-091: move', async () => {
    const old = await world.pair('test-from');
    const point = await value(old, 'ec-point');
    const target = await world.pair('test-to', 'rsa-2048');
    expect((await world.post('/keypair/test-to', { from: 'test-from' }, { uid: USER })).status).toBe(204);
    expect(await world.call('GET', '/keypair/test-from')).toEqual(BAD);
    expect(await world.ecdsa(old, Buffer.alloc(32))).toEqual(BAD);
    expect(await value(target, 'ec-point')).toBe(point);
    expect((await world.ecdsa(target, Buffer.alloc(32))).status).toBe(200);
  });

  it('KS-033, KS-092: what cannot be moved', async () => {
    expect(await world.post('/keypair/other', { from: 'other' }, { uid: USER })).toEqual({
      status: 400,
      body: { message: 'source and destination for move are identical' },
    });
    expect((await world.post('/key/test1', { from: 'x' })).body['message']).toBe('invalid type "key"');
    expect(await world.post('/keypair/other', { from: 'test1' }, { uid: USER })).toEqual(unauthorized('other'));
    expect(await world.post('/keypair/test1', { from: 'other' }, { uid: USER })).toEqual(unauthorized('other'));
    expect((await world.post('/keypair/test1', {})).status).toBe(422);
  });

  it('KS-092, KS-101: a missing source leaves the target alone', async () => {
    const target = await world.pair('test-stays');
    const point = await value(target, 'ec-point');
    expect(await world.post('/keypair/test-stays', { from: 'test-nothere' })).toEqual(BAD);
    expect(await value(target, 'ec-point')).toBe(point);
  });

  it('KS-093: parallel creations make one pair', async () => {
    const handles = await Promise.all(Array.from({ length: 9 }, () => world.pair('test-parallel')));
    const points = await Promise.all(handles.map((handle) => value(handle, 'ec-point')));
    expect([new Set(points).size, points[0]?.length]).toEqual([1, 44]);
  });

  it('delete', async () => {
    const keyHandle = await world.pair('test-gone');
    for (let time = 0; time < 2; time++) {
      expect((await world.call('DELETE', '/keypair', { keyHandle })).status).toBe(204);
    }
    expect(await world.call('GET', '/keypair/test-gone')).toEqual(BAD);
    expect(await world.ecdsa(keyHandle, Buffer.alloc(32))).toEqual(BAD);
  });

  it('KS-095: where pairs are', async () => {
    await world.pair('test-where');
    const name = objectFileName('test-where', '.key');
    if (store === 'files') {
      expect(readFileSync(join(world.keysFolder, name), 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/);
      return;
    }
    expect(world.keyFiles()).toEqual([]);
    const kinds = world.tokenObjects('test-where');
    expect(kinds).toHaveLength(2);
    expect(kinds.find((text) => text.startsWith('Private'))).toMatch(/sensitive[\s\S]*never extractable/);
  });
});

describe('preloaded key pair files', () => {
  let world: KeydWorld;
  const folder = () => join(world.folder, 'given');
  const given = (name: string) => join(folder(), name);
  const pem = (
    type: 'pkcs8' | 'sec1' | 'pkcs1',
    key: { privateKey: ReturnType<typeof generateKeyPairSync>['privateKey'] },
  ) => (key.privateKey as unknown as import('node:crypto').KeyObject).export({ type, format: 'pem' }) as string;
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });

  beforeAll(async () => {
    world = new KeydWorld();
    mkdirSync(folder());
    writeFileSync(given('p384'), pem('pkcs8', p384 as never));
    writeFileSync(given('sec1'), pem('sec1', generateKeyPairSync('ec', { namedCurve: 'P-256' }) as never));
    writeFileSync(given('pkcs1'), pem('pkcs1', generateKeyPairSync('rsa', { modulusLength: 2048 }) as never));
    writeFileSync(given('ed'), pem('pkcs8', generateKeyPairSync('ed25519') as never));
    writeFileSync(given('garbage'), '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
    writeFileSync(
      given('locked'),
      generateKeyPairSync('ec', {
        namedCurve: 'P-256',
        privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' },
        publicKeyEncoding: { type: 'spki', format: 'pem' },
      }).privateKey,
    );
    const names = ['p384', 'sec1', 'pkcs1', 'ed', 'garbage', 'locked', 'missing'];
    const lines = names.map((name) => `"test-${name}" = "file://${given(name)}"`);
    world.writeConfig({ more: `[preloaded_keys]\n${lines.join('\n')}\n"test-hsm" = "pkcs11:token=x;object=y"` });
    await world.start();
  });
  afterAll(() => world.remove());

  const parameter = (keyHandle: string, name: string) => world.post(`/parameters/${name}`, { keyHandle });

  it('KS-086: P-384 signs, but its curve is not named', async () => {
    const handle = await world.pair('test-p384');
    expect((await parameter(handle, 'algorithm')).body['value']).toBe('ECDSA');
    expect(Buffer.from((await parameter(handle, 'ec-point')).body['value'] ?? '', 'base64')).toHaveLength(49);
    expect(await parameter(handle, 'ec-curve-oid')).toEqual(BAD);
    const { createHash } = await import('node:crypto');
    const digest = createHash('sha384').update('hello').digest();
    const signature = Buffer.from((await world.ecdsa(handle, digest)).body['signature'] ?? '', 'base64');
    expect(
      verify(
        'sha384',
        Buffer.from('hello'),
        createPublicKey(p384.publicKey.export({ type: 'spki', format: 'pem' })),
        signature,
      ),
    ).toBe(true);
  });

  it('KS-086: Ed25519 loads, but is of no use', async () => {
    const handle = await world.pair('test-ed');
    expect(handle).toMatch(/^sr=/);
    expect(await parameter(handle, 'algorithm')).toEqual(BAD);
    expect(await world.ecdsa(handle, Buffer.alloc(32))).toEqual(BAD);
  });

  it('KS-088: SEC1 and PKCS#1 load', async () => {
    for (const [id, algorithm] of [
      ['test-sec1', 'ECDSA'],
      ['test-pkcs1', 'RSA'],
    ] as const) {
      const answer = await world.call('GET', `/keypair/${id}`, undefined, { uid: USER });
      expect((await parameter(answer.body['keyHandle'] ?? '', 'algorithm')).body['value']).toBe(algorithm);
    }
  });

  it.each(['garbage', 'locked'])('KS-088: a %s file is a fault for load, is not replaced', async (name) => {
    const before = readFileSync(given(name));
    expect((await world.call('GET', `/keypair/test-${name}`)).status).toBe(500);
    expect(await world.post('/keypair', { keyId: `test-${name}` })).toEqual(BAD);
    expect(readFileSync(given(name))).toEqual(before);
  });

  it('KS-090: creation writes to the given path; deletion keeps the file aside', async () => {
    expect(await world.call('GET', '/keypair/test-missing')).toEqual(BAD);
    const keyHandle = await world.pair('test-missing');
    expect(statSync(given('missing')).mode & 0o777).toBe(0o600);
    const content = readFileSync(given('missing'));
    expect((await world.call('DELETE', '/keypair', { keyHandle })).status).toBe(204);
    expect((await world.call('DELETE', '/keypair', { keyHandle })).status).toBe(204);
    expect(existsSync(given('missing'))).toBe(false);
    const aside = readdirSync(folder()).filter((name) => /^missing\.deleted-\d{8}T\d{6}\.\d{3}Z$/.test(name));
    expect(aside).toHaveLength(1);
    expect(readFileSync(given(aside[0] ?? ''))).toEqual(content);
  });

  it('a renewed pair is moved onto a preloaded file', async () => {
    const temp = await world.pair('test-sec1-temp');
    const point = (await parameter(temp, 'ec-point')).body['value'];
    expect((await world.post('/keypair/test-sec1', { from: 'test-sec1-temp' })).status).toBe(204);
    expect((await parameter(await world.pair('test-sec1'), 'ec-point')).body['value']).toBe(point);
  });

  it('a symmetric key is neither moved nor overwritten by a move', async () => {
    await world.key('test-sym');
    await world.pair('test-mover');
    expect(await world.post('/keypair/test-sym', { from: 'test-mover' })).toEqual(BAD);
    expect(await world.post('/keypair/test-x', { from: 'test-sym' })).toEqual(BAD);
    expect((await world.call('GET', '/key/test-sym')).status).toBe(200);
  });

  it('KS-102: a preloaded token key without a module', async () => {
    expect(await world.call('GET', '/keypair/test-hsm')).toEqual(BAD);
    expect(await world.call('GET', '/key/test-hsm')).toEqual(BAD);
  });
});
