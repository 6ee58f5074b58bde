import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  ECDH,
  publicDecrypt,
  verify,
} from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import vectors from '../../fixtures/vectors/symmetric-keys.json' with { type: 'json' };
import { STORES, worldOf } from './testing/stores.ts';
import type { KeydWorld } from './testing/world.ts';

const BAD = { status: 400, body: { message: 'a parameter has an invalid value' } };
const KEY64 = vectors.key;
const KEY = Buffer.from(KEY64, 'base64');
const [HMAC, DERIVED, AEAD] = [vectors.hmac[0], vectors.derive[0], vectors.aes256gcm[0]];
if (!HMAC || !DERIVED || !AEAD) throw new Error('the vectors of symmetric keys are not there');
const { message: HELLO } = HMAC;
const { iv: IV, aad: AAD, plaintext: PLAIN, version2: SEALED, version1: SEALED_V1 } = AEAD;
const DIGEST_INFO = Buffer.concat([
  Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  createHash('sha256').update('hello').digest(),
]);
const message = ({ status, body }: { status: number; body: Record<string, string> }) => [status, body['message']];
const WRONG = [
  400,
  'parameter "mechanism" has an invalid value\ncaused by: mechanism cannot be used with this key type',
];
const NESTED =
  'parameter "handle" has an invalid value\ncaused by: nested derived keys are not supported, import the outer derived key first';

describe.each(STORES)('operations in $store', ({ store, skip }) => {
  if (skip) {
    it.skip('needs SoftHSM (apt install softhsm2)', () => undefined);
    return;
  }
  let world: KeydWorld;
  let base: string;
  let aes: string;
  let ec: string;
  let rsa: string;
  beforeAll(async () => {
    world = await worldOf(store);
    base = await world.key('test-base', 'derive,sign', KEY64);
    aes = await world.key('test-aes', 'encrypt', KEY64);
    ec = await world.pair('test-ec');
    rsa = await world.pair('test-rsa', 'rsa-2048');
  });
  afterAll(() => world.remove());

  const value = async (keyHandle: string, name: string) =>
    (await world.post(`/parameters/${name}`, { keyHandle })).body['value'] ?? '';
  const derive = async (derivationData: string) =>
    (await world.post('/derivedkey', { baseKeyHandle: base, derivationData })).body['keyHandle'] ?? '';
  const encrypt = (keyHandle: string, algorithm: string, plaintext: string, parameters?: unknown) =>
    world.post('/encrypt', { keyHandle, algorithm, parameters, plaintext });
  const decrypt = (ciphertext: string, parameters: unknown = { iv: IV, aad: AAD }, keyHandle = aes) =>
    world.post('/decrypt', { keyHandle, algorithm: 'AEAD', parameters, ciphertext });
  const ecKey = async () => {
    const point = Buffer.from(await value(ec, 'ec-point'), 'base64');
    const whole = ECDH.convertKey(point, 'prime256v1', undefined, undefined, 'uncompressed') as Buffer;
    const head = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
    return createPublicKey({ key: Buffer.concat([head, whole]), format: 'der', type: 'spki' });
  };
  const rsaKey = async () => {
    const url = (text: string) => Buffer.from(text, 'base64').toString('base64url');
    const [n, e] = [await value(rsa, 'rsa-modulus'), await value(rsa, 'rsa-exponent')];
    return createPublicKey({ key: { kty: 'RSA', n: url(n), e: url(e) }, format: 'jwk' });
  };

  it('KS-064: the vector of derivation', async () => {
    const key = await world.post('/derivedkey/export', { keyHandle: await derive('AQL/') });
    expect(key.body['key']).toBe(DERIVED.key);
  });

  it('KS-065: a derived key signs and encrypts like the exported one', async () => {
    const derived = await derive('AQL/');
    const exported = Buffer.from(DERIVED.key, 'base64');
    const mac = createHmac('sha256', exported).update('hello').digest('base64');
    expect((await world.hmac(derived, HELLO)).body['signature']).toBe(mac);
    const sealed = await encrypt(derived, 'AEAD', PLAIN, { iv: IV, aad: AAD });
    const cipher = createCipheriv('aes-256-gcm', exported, Buffer.from(IV, 'base64'));
    cipher.setAAD(Buffer.from(AAD, 'base64'));
    const own = [Buffer.of(2), cipher.update('someplaintext'), cipher.final(), cipher.getAuthTag()];
    expect(sealed.body['ciphertext']).toBe(Buffer.concat(own).toString('base64'));
    const opened = await decrypt(sealed.body['ciphertext'] ?? '', { iv: IV, aad: AAD }, derived);
    expect(opened.body['plaintext']).toBe(PLAIN);
  });

  it('KS-066: no derived key of a derived key', async () => {
    const answer = await world.post('/derivedkey', { baseKeyHandle: await derive('AA=='), derivationData: 'AA==' });
    expect(message(answer)).toEqual([400, NESTED]);
  });

  it('KS-067: derivation data may be empty, not missing', async () => {
    const exported = await world.post('/derivedkey/export', { keyHandle: await derive('') });
    expect(exported.body['key']).toBe(createHmac('sha256', KEY).digest('base64'));
    expect((await world.post('/derivedkey', { baseKeyHandle: base })).status).toBe(422);
  });

  it('KS-068, KS-069: handles of the wrong kind', async () => {
    expect(message(await world.post('/derivedkey/export', { keyHandle: base }))).toEqual([
      400,
      'parameter "handle" has an invalid value\ncaused by: handle is not for a derived key',
    ]);
    const answer = await world.post('/derivedkey', { baseKeyHandle: ec, derivationData: 'AA==' });
    expect(message(answer)).toEqual([
      400,
      'parameter "handle" has an invalid value\ncaused by: handle is not for a key',
    ]);
  });

  it('KS-070: a bad base is refused at creation, a lost one at use', async () => {
    expect((await world.post('/derivedkey', { baseKeyHandle: 'foo', derivationData: '' })).status).toBe(400);
    const lost = await world.key('test-lost', 'derive');
    const derived = (await world.post('/derivedkey', { baseKeyHandle: lost, derivationData: '' })).body['keyHandle'];
    await world.call('DELETE', '/key', { keyHandle: lost });
    expect(await world.post('/derivedkey/export', { keyHandle: derived })).toEqual(BAD);
  });

  it('KS-071: HMAC vector, and an empty message', async () => {
    expect((await world.hmac(base, HELLO)).body['signature']).toBe(HMAC.mac);
    const empty = createHmac('sha256', KEY).digest('base64');
    expect((await world.hmac(base, '')).body['signature']).toBe(empty);
  });

  it('KS-072: mechanisms of other kinds of key', async () => {
    expect(message(await world.hmac(ec, HELLO))).toEqual(WRONG);
    expect(message(await world.ecdsa(base, Buffer.alloc(32)))).toEqual(WRONG);
    expect(message(await encrypt(ec, 'AEAD', '', { iv: IV, aad: '' }))).toEqual(WRONG);
    expect(message(await encrypt(base, 'RSA-PKCS1', 'AAAA'))).toEqual(WRONG);
  });

  it.each([
    ['unknown algorithm', { algorithm: 'ecdsa', parameters: { digest: '' } }],
    ['digest for HMAC', { algorithm: 'HMAC-SHA256', parameters: { digest: '' } }],
    ['no parameters', { algorithm: 'ECDSA' }],
  ])('KS-073: %s', async (_, body) => {
    expect((await world.post('/sign', { keyHandle: 'foo', ...body })).status).toBe(422);
  });

  it('KS-074: ECDSA over a digest, of which the leftmost bits count', async () => {
    const digest = createHash('sha256').update('hello').digest();
    for (const input of [digest, Buffer.concat([digest, digest])]) {
      const signature = Buffer.from((await world.ecdsa(ec, input)).body['signature'] ?? '', 'base64');
      expect(verify('sha256', Buffer.from('hello'), await ecKey(), signature)).toBe(true);
    }
  });

  it('KS-075: a mechanism of another algorithm', async () => {
    expect(await world.ecdsa(rsa, Buffer.alloc(32))).toEqual(BAD);
    expect(await encrypt(ec, 'RSA-PKCS1', 'AAAA')).toEqual(BAD);
  });

  it('KS-076, KS-078: RSA-PKCS1 signs a DigestInfo', async () => {
    for (const parameters of [undefined, null]) {
      const { body } = await encrypt(rsa, 'RSA-PKCS1', DIGEST_INFO.toString('base64'), parameters);
      const signature = Buffer.from(body['ciphertext'] ?? '', 'base64');
      expect(verify('sha256', Buffer.from('hello'), await rsaKey(), signature)).toBe(true);
    }
    expect((await encrypt(rsa, 'RSA-PKCS1', 'AAAA', {})).status).toBe(422);
    expect((await encrypt(rsa, 'RSA-PKCS1', Buffer.alloc(246).toString('base64'))).status).toBe(500);
  });

  it('KS-077: RSA-NO-PADDING is the bare operation', async () => {
    const block = Buffer.alloc(256, 5);
    const { body } = await encrypt(rsa, 'RSA-NO-PADDING', block.toString('base64'));
    const key = { key: await rsaKey(), padding: constants.RSA_NO_PADDING };
    expect(publicDecrypt(key, Buffer.from(body['ciphertext'] ?? '', 'base64'))).toEqual(block);
    expect(await encrypt(rsa, 'RSA-NO-PADDING', Buffer.alloc(256, 255).toString('base64'))).toEqual(BAD);
    if (store === 'files')
      expect(await encrypt(rsa, 'RSA-NO-PADDING', Buffer.alloc(255).toString('base64'))).toEqual(BAD);
  });

  it('KS-079, KS-100: AEAD vectors', async () => {
    expect((await encrypt(aes, 'AEAD', PLAIN, { iv: IV, aad: AAD })).body['ciphertext']).toBe(SEALED);
    expect((await decrypt(SEALED)).body['plaintext']).toBe(PLAIN);
    if (store === 'files') expect((await decrypt(SEALED_V1)).body['plaintext']).toBe(PLAIN);
    else expect(await decrypt(SEALED_V1)).toEqual(BAD);
    expect((await encrypt(aes, 'AEAD', PLAIN, { iv: IV })).status).toBe(422);
  });

  it('KS-080: what is no ciphertext of this key is refused', async () => {
    const flipped = SEALED.replace(/h$/, 'i');
    const short = Buffer.concat([Buffer.of(2), Buffer.alloc(15)]).toString('base64');
    const versions = [0, 3].map((version) => Buffer.concat([Buffer.of(version), Buffer.alloc(30)]).toString('base64'));
    for (const bad of ['', short, ...versions, flipped]) expect(await decrypt(bad), bad).toEqual(BAD);
    expect(await decrypt(SEALED, { iv: AAD, aad: AAD })).toEqual(BAD);
    expect(await decrypt(SEALED, { iv: IV, aad: IV })).toEqual(BAD);
  });

  it('KS-081: IV lengths', async () => {
    const seal = (bytes: number) =>
      encrypt(aes, 'AEAD', 'AAAA', { iv: Buffer.alloc(bytes).toString('base64'), aad: '' });
    for (const length of [1, 12, 16, 128]) expect((await seal(length)).status, `${length}`).toBe(200);
    expect(await seal(0)).toEqual(BAD);
    if (store === 'files') expect(await seal(129)).toEqual(BAD);
    const short = await world.key('test-k16', 'encrypt', 'AAAAAAAAAAAAAAAAAAAAAA==');
    const status = (await encrypt(short, 'AEAD', '', { iv: IV, aad: '' })).status;
    expect(status).toBe(store === 'files' ? 500 : 200);
  });

  it('KS-082: no RSA decryption', async () => {
    const answer = await world.post('/decrypt', { keyHandle: rsa, algorithm: 'RSA-PKCS1', ciphertext: '' });
    expect(message(answer)).toEqual(WRONG);
  });

  it('KS-085: parameters', async () => {
    expect(await value(ec, 'algorithm')).toBe('ECDSA');
    expect(await value(ec, 'ec-curve-oid')).toBe('BggqhkjOPQMBBw==');
    const point = Buffer.from(await value(ec, 'ec-point'), 'base64');
    expect([point.length, [2, 3].includes(point[0] ?? 0)]).toEqual([33, true]);
    expect(await value(rsa, 'algorithm')).toBe('RSA');
    expect(await value(rsa, 'rsa-exponent')).toBe('AQAB');
    const modulus = Buffer.from(await value(rsa, 'rsa-modulus'), 'base64');
    expect([modulus.length, (modulus[0] ?? 0) >= 0x80]).toEqual([256, true]);
    for (const name of ['rsa-modulus', 'nosuch']) {
      expect(await world.post(`/parameters/${name}`, { keyHandle: ec })).toEqual(BAD);
    }
  });

  it('KS-087: parameters of a symmetric key', async () => {
    for (const keyHandle of [base, await derive('')]) {
      expect(message(await world.post('/parameters/algorithm', { keyHandle }))).toEqual([
        400,
        'parameter "handle" has an invalid value\ncaused by: handle is not for a key pair',
      ]);
    }
  });
});
