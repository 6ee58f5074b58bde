import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { expectError, expectStatus, stringMember, type WireResult } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { keyFile } from './key-files.ts';
import { freshOn, type OnStore, storeGroups, tokenObjects } from './on-store.ts';
import { PIN } from './stores.ts';
import { STRANGER, VECTOR_KEY, VECTORS } from './world.ts';

const hmac = (key: Uint8Array, message: string) => createHmac('sha256', key).update(message).digest('base64');
const handleOf = (result: WireResult) => stringMember(expectStatus(result, 200), 'keyHandle');

/** Asserts that a symmetric key is where the store makes such keys, and nowhere else. */
async function expectPlace({ world, store }: OnStore, keyId: string): Promise<void> {
  const objects = await tokenObjects(world, store, keyId);
  if (store.symmetricIn === 'files') {
    assert.deepEqual(objects, []);
    assert.equal((await readFile(keyFile(world, keyId))).length, 32);
    assert.equal((await stat(keyFile(world, keyId))).mode & 0o077, 0, 'others can read the key file');
    return;
  }
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    ['Secret Key Object'],
  );
  await assert.rejects(stat(keyFile(world, keyId)), 'there is a file beside the object of the token');
}

/** Whether a key of the id is anywhere in the store. */
async function isStored({ world, store }: OnStore, keyId: string): Promise<boolean> {
  const inFile = await stat(keyFile(world, keyId)).then(
    () => true,
    () => false,
  );
  return inFile || (await tokenObjects(world, store, keyId)).length > 0;
}

const makesKeys = storeGroups('symmetric keys', {
  'KS-043': [
    'a new key is 32 random bytes in a file of the documented name, or an object with the id as label',
    'spec',
    async (on) => {
      assert.match(await on.root.key('test-new'), /^sr=/);
      await expectPlace(on, 'test-new');
    },
  ],
  'KS-044': [
    'creating again keeps the key and gives another handle',
    'spec',
    async ({ root }) => {
      const first = await root.key('test-again');
      const second = await root.key('test-again');
      assert.notEqual(first, second);
      assert.equal(await root.mac(first, 'm'), await root.mac(second, 'm'));
    },
  ],
  'KS-045': [
    'a key that is there is loaded, another one is 400',
    'spec',
    async ({ root }) => {
      const made = await root.key('test-load');
      assert.equal(await root.mac(handleOf(await root.get('/key/test-load')), 'm'), await root.mac(made, 'm'));
      expectError(await root.get('/key/test-none'), 400, 'a parameter has an invalid value');
    },
  ],
  'KS-046': [
    'a mixed usage makes a key in a file, and none in a token',
    'spec',
    async ({ root, store }) => {
      const body = { keyId: 'test-mixed', usage: 'derive,sign,encrypt' };
      const result = await root.post('/key', body);
      if (store.module) expectError(result, 400);
      else expectStatus(result, 200);
      for (const usage of ['derive,sign', 'encrypt'])
        expectStatus(await root.post('/key', { keyId: `test-${usage.length}`, usage }), 200);
    },
  ],
  'KS-047': [
    'an import stores exactly its bytes and replaces',
    'spec',
    async ({ root, world, store }) => {
      const long = Buffer.alloc(64, 7);
      const first = await root.key('test-import', 'sign', long.toString('base64'));
      assert.equal(await root.mac(first, 'm'), hmac(long, 'm'));
      if (!store.module) assert.deepEqual(await readFile(keyFile(world, 'test-import')), long);
      const second = await root.key('test-import', 'sign', VECTOR_KEY.toString('base64'));
      for (const handle of [first, second]) assert.equal(await root.mac(handle, 'm'), hmac(VECTOR_KEY, 'm'));
      expectError(await root.post('/key', { keyId: 'test-import', keyBytes: 'AAAA' }), 422);
    },
  ],
  'KS-048': [
    'loose base64 is 422 and leaves the key as it is; null generates',
    'spec',
    async ({ root }) => {
      const handle = await root.key('test-loose', 'sign', VECTOR_KEY.toString('base64'));
      for (const keyBytes of ['-_-_', 'AAA', 'AAAA\n', 'AB=='])
        expectError(await root.post('/key', { keyId: 'test-loose', usage: 'sign', keyBytes }), 422);
      assert.equal(await root.mac(handle, 'm'), hmac(VECTOR_KEY, 'm'));
      const made = handleOf(await root.post('/key', { keyId: 'test-null', usage: 'sign', keyBytes: null }));
      assert.notEqual(await root.mac(made, 'm'), hmac(Buffer.alloc(0), 'm'));
    },
  ],
  'KS-049': [
    'an import of no bytes is refused and writes nothing',
    'spec',
    async (on) => {
      expectError(await on.root.post('/key', { keyId: 'test-empty', usage: 'sign', keyBytes: '' }), [400, 422]);
      assert.equal(await isStored(on, 'test-empty'), false);
    },
  ],
  'KS-050': [
    'an empty key file counts as missing for creation, and is an error for loading',
    'spec',
    async ({ root, world }) => {
      await root.key('test-hollow');
      await writeFile(keyFile(world, 'test-hollow'), '');
      expectError(await root.get('/key/test-hollow'), 500, 'internal error');
      await root.key('test-hollow');
      assert.equal((await readFile(keyFile(world, 'test-hollow'))).length, 32);
    },
    { softhsm: 'symmetric keys are no files there' },
  ],
  'KS-051': [
    'delete removes the key, and may be repeated',
    'spec',
    async (on) => {
      const keyHandle = await on.root.key('test-delete');
      for (const _ of [1, 2]) {
        expectStatus(await on.root.delete('/key', { keyHandle }), 204);
        assert.equal(await isStored(on, 'test-delete'), false);
      }
      expectError(await on.root.signHmac(keyHandle, 'm'), 400);
      expectError(await on.root.get('/key/test-delete'), 400);
    },
  ],
  'KS-052': [
    'the handle of a pair or of a derived key deletes no key',
    'spec',
    async ({ root }) => {
      const pair = await root.pair('test-not-deleted');
      const derived = handleOf(await root.derive(await root.key('test-kept'), VECTOR_KEY));
      for (const keyHandle of [pair, derived])
        expectError(await root.delete('/key', { keyHandle }), 400, 'handle is not for a key');
      expectStatus(await root.get('/key/test-kept'), 200);
      expectStatus(await root.get('/keypair/test-not-deleted'), 200);
    },
  ],
  'KS-054': [
    'an id is percent-decoded in a path, and has no NUL',
    'spec',
    async ({ root }) => {
      const made = await root.key('test/a b');
      assert.equal(await root.mac(handleOf(await root.get('/key/test%2Fa%20b')), 'm'), await root.mac(made, 'm'));
      expectError(await root.get('/key/te%00st'), 400, 'parameter "id"');
    },
  ],
});

const usesKeys = storeGroups('use of symmetric keys', {
  'KS-061': [
    'handles work after a restart',
    'spec',
    async (on) => {
      const { world, root } = await freshOn(on);
      const [key, pair] = [await root.key('test-stays'), await root.pair('test-stays-pair')];
      const before = await root.mac(key, 'm');
      await world.restart('keyd');
      assert.equal(await root.mac(key, 'm'), before);
      assert.equal(await root.parameter('algorithm', pair), 'ECDSA');
    },
  ],
  'KS-064': [
    'a derived key is the HMAC of its data under its base',
    'spec',
    async ({ root }) => {
      const base = await root.key('test-base', 'derive', VECTOR_KEY.toString('base64'));
      const derived = handleOf(await root.derive(base, Buffer.from([1, 2, 255])));
      const exported = expectStatus(await root.post('/derivedkey/export', { keyHandle: derived }), 200);
      assert.equal(stringMember(exported, 'key'), VECTORS.derived);
    },
  ],
  'KS-065': [
    'a derived key signs and encrypts as its exported bytes do',
    'spec',
    async ({ root }) => {
      const base = await root.key('test-base', 'derive', VECTOR_KEY.toString('base64'));
      const derived = handleOf(await root.derive(base, Buffer.from('device')));
      const exported = expectStatus(await root.post('/derivedkey/export', { keyHandle: derived }), 200);
      const bytes = stringMember(exported, 'key');
      assert.equal(await root.mac(derived, 'm'), hmac(Buffer.from(bytes, 'base64'), 'm'));
      const copy = await root.key('test-derived-copy', 'encrypt', bytes);
      const sealed = expectStatus(await root.aead('encrypt', derived, 'aGVsbG8='), 200);
      const opened = await root.aead('decrypt', copy, stringMember(sealed, 'ciphertext'));
      assert.equal(stringMember(expectStatus(opened, 200), 'plaintext'), 'aGVsbG8=');
    },
  ],
  'KS-066': [
    'a derived key is no base',
    'spec',
    async ({ root }) => {
      const derived = handleOf(await root.derive(await root.key('test-base'), VECTOR_KEY));
      expectError(await root.derive(derived, VECTOR_KEY), 400, 'nested derived keys');
    },
  ],
  'KS-069': [
    'a key pair is no base for a derived key',
    'spec',
    async ({ root }) =>
      void expectError(await root.derive(await root.pair('test-derive-pair'), VECTOR_KEY), 400, 'handle'),
  ],
  'KS-070': [
    'a base that is gone makes its derived key unusable',
    'spec',
    async ({ root }) => {
      const base = await root.key('test-lost-base', 'derive');
      const derived = handleOf(await root.derive(base, VECTOR_KEY));
      expectStatus(await root.delete('/key', { keyHandle: base }), 204);
      expectError(await root.post('/derivedkey/export', { keyHandle: derived }), 400);
      expectError(await root.derive('sr=AAAA&sig=AAAA', VECTOR_KEY), 400, 'invalid handle');
    },
  ],
  'KS-071': [
    'HMAC of the published vector, and of no bytes',
    'spec',
    async ({ root }) => {
      const handle = await root.key('test-vector', 'sign', VECTOR_KEY.toString('base64'));
      assert.equal(await root.mac(handle, 'hello'), VECTORS.hmacOfHello);
      assert.equal(await root.mac(handle, ''), hmac(VECTOR_KEY, ''));
    },
  ],
  'KS-079': [
    'AEAD gives and takes the published ciphertexts; the old form only where the key is no token object',
    'spec',
    async ({ root, store }) => {
      const handle = await root.key('test-aead', 'encrypt', VECTOR_KEY.toString('base64'));
      const plaintext = Buffer.from('someplaintext').toString('base64');
      const sealed = expectStatus(await root.aead('encrypt', handle, plaintext), 200);
      assert.equal(stringMember(sealed, 'ciphertext'), VECTORS.aeadV2);
      const opened = expectStatus(await root.aead('decrypt', handle, VECTORS.aeadV2), 200);
      assert.equal(stringMember(opened, 'plaintext'), plaintext);
      const old = await root.aead('decrypt', handle, VECTORS.aeadV1);
      if (store.symmetricIn === 'token') expectError(old, 400);
      else assert.equal(stringMember(expectStatus(old, 200), 'plaintext'), plaintext);
    },
  ],
  'KS-080': [
    'a ciphertext that is not authentic is 400 and gives no plaintext',
    'spec',
    async ({ root }) => {
      const handle = await root.key('test-aead', 'encrypt', VECTOR_KEY.toString('base64'));
      const flipped = Buffer.from(VECTORS.aeadV2, 'base64');
      flipped[5] = (flipped[5] ?? 0) ^ 1;
      expectError(await root.aead('decrypt', handle, flipped.toString('base64')), 400);
      expectError(await root.aead('decrypt', handle, VECTORS.aeadV2, { aad: 'other' }), 400);
      expectError(await root.aead('decrypt', handle, VECTORS.aeadV2, { iv: '210987654321' }), 400);
      for (const ciphertext of ['', Buffer.alloc(16, 2).toString('base64'), Buffer.alloc(40, 3).toString('base64')])
        expectError(await root.aead('decrypt', handle, ciphertext), 400);
    },
  ],
  'KS-081': [
    'an IV has one byte at least',
    'spec',
    async ({ root }) => {
      const handle = await root.key('test-aead', 'encrypt', VECTOR_KEY.toString('base64'));
      expectError(await root.aead('encrypt', handle, 'AAAA', { iv: '' }), 400);
      for (const iv of ['1', '1234567890123456']) expectStatus(await root.aead('encrypt', handle, 'AAAA', { iv }), 200);
    },
  ],
  'KS-034': [
    'a handle is good for whoever has it',
    'spec',
    async ({ context, root, world }) => {
      context.needRoot();
      const keyHandle = await root.key('test-bearer', 'sign', VECTOR_KEY.toString('base64'));
      const stranger = new Caller(world, STRANGER);
      assert.equal(await stranger.mac(keyHandle, 'hello'), VECTORS.hmacOfHello);
      expectStatus(await stranger.delete('/key', { keyHandle }), 204);
    },
  ],
  'KS-089': [
    'a key pair does not replace a symmetric key, nor the reverse',
    'spec',
    async ({ root }) => {
      const key = await root.key('test-kind-key', 'sign', VECTOR_KEY.toString('base64'));
      const made = await root.post('/keypair', { keyId: 'test-kind-key' });
      if (made.closed || made.status !== 200) expectError(made, [400, 409]);
      assert.equal(await root.mac(key, 'm'), hmac(VECTOR_KEY, 'm'));
      const pair = await root.pair('test-kind-pair');
      const point = await root.parameter('ec-point', pair);
      const other = await root.post('/key', { keyId: 'test-kind-pair', usage: 'sign' });
      if (other.closed || other.status !== 200) expectError(other, [400, 409]);
      assert.equal(await root.parameter('ec-point', pair), point);
    },
  ],
  'KS-090': [
    'a preloaded file that is deleted is kept aside',
    'spec',
    async (on) => {
      const { world, root } = await freshOn(on);
      const keyHandle = handleOf(await root.get('/key/test-sym'));
      expectStatus(await root.delete('/key', { keyHandle }), 204);
      const names = (await readdir(world.path('pre'))).filter((name) => name.startsWith('sym'));
      assert.equal(names.length, 1);
      assert.match(names[0] ?? '', /^sym\.deleted-/);
      assert.deepEqual(await readFile(world.path('pre', names[0] ?? '')), VECTOR_KEY);
      expectError(await root.get('/key/test-sym'), 400);
    },
  ],
  'KS-107': [
    'neither an answer of 500 nor the log shows a path, a PIN or the bytes of a key',
    'spec',
    async (on) => {
      const { world, root } = await freshOn(on);
      const secret = Buffer.from('a-secret-that-no-log-may-show-01').toString('base64');
      await root.key('test-secret', 'sign', secret);
      await writeFile(world.path('pre/sym'), '');
      assert.equal(expectError(await root.get('/key/test-sym'), 500), 'internal error');
      assert.equal(expectError(await root.get('/keypair/test-garbage'), 500), 'internal error');
      const { log } = world.running('keyd');
      assert.match(log, /!!! /);
      for (const text of [PIN, secret, 'a-secret-that-no-log-may-show-01', VECTOR_KEY.toString('base64')])
        assert.ok(!log.includes(text), `the log shows ${text}`);
    },
  ],
});

export const symmetricKeys = [...makesKeys, ...usesKeys];
