import assert from 'node:assert/strict';
import { constants, createHash, publicDecrypt, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { answered, expectError, expectStatus, header, stringMember, WireConnection } from '../runner/index.ts';
import type { Caller } from './caller.ts';
import { keyFile } from './key-files.ts';
import { freshOn, type OnStore, storeGroups, tokenObjects } from './on-store.ts';
import { p256Key, rsaKey } from './public-key.ts';
import { verifiesDigest } from './verify-digest.ts';

const DIGEST_INFO = Buffer.from('3031300d060960864801650304020105000420', 'hex');
const DIGEST = createHash('sha256').update('hello').digest();

const publicEc = async (root: Caller, handle: string) => p256Key(await root.parameter('ec-point', handle));
const publicRsa = async (root: Caller, handle: string) =>
  rsaKey(await root.parameter('rsa-modulus', handle), await root.parameter('rsa-exponent', handle));

/** Asserts that a pair is where the store makes pairs. */
async function expectPlace({ world, store }: OnStore, keyId: string): Promise<void> {
  if (!store.module) {
    assert.match(await readFile(keyFile(world, keyId), 'utf8'), /^-----BEGIN PRIVATE KEY-----\n/);
    return;
  }
  const kinds = (await tokenObjects(world, store, keyId)).map(({ kind }) => kind).sort();
  assert.deepEqual(kinds, ['Private Key Object', 'Public Key Object']);
  await assert.rejects(readFile(keyFile(world, keyId)), 'there is a file beside the objects of the token');
}

async function rsaOperation(root: Caller, handle: string, algorithm: string, input: Uint8Array): Promise<Buffer> {
  const answer = expectStatus(await root.encryptRsa(handle, algorithm, input), 200);
  return Buffer.from(stringMember(answer, 'ciphertext'), 'base64');
}

const makesPairs = storeGroups('key pairs', {
  'KS-083': [
    'EC P-256 without a preference, else what is preferred and known',
    'spec',
    async (on) => {
      const { root, store } = on;
      const ec = await root.pair('test-default');
      assert.equal(await root.parameter('algorithm', ec), 'ECDSA');
      await expectPlace(on, 'test-default');
      const rsa = await root.pair('test-rsa', 'foo:rsa-2048');
      assert.equal((await publicRsa(root, rsa)).asymmetricKeyDetails?.modulusLength, 2048);
      await expectPlace(on, 'test-rsa');
      for (const preferredAlgorithms of ['foo', ''])
        expectError(await root.post('/keypair', { keyId: 'test-unmade', preferredAlgorithms }), 400);
      expectStatus(await root.post('/keypair', { keyId: 'test-rsa', preferredAlgorithms: 'foo' }), 200);
      const big = await root.post('/keypair', { keyId: 'test-big', preferredAlgorithms: 'rsa-4096' });
      if (store.rsa4096 === 'refused') expectError(big, 400, 'a parameter has an invalid value');
      else {
        const handle = stringMember(expectStatus(big, 200), 'keyHandle');
        assert.equal((await publicRsa(root, handle)).asymmetricKeyDetails?.modulusLength, 4096);
      }
    },
  ],
  'KS-084': [
    'a pair that is there keeps its algorithm',
    'spec',
    async ({ root }) => {
      const first = await root.pair('test-kept-rsa', 'rsa-2048');
      const again = await root.pair('test-kept-rsa', 'ec-p256');
      assert.equal(await root.parameter('algorithm', again), 'RSA');
      assert.equal(await root.parameter('rsa-modulus', again), await root.parameter('rsa-modulus', first));
    },
  ],
  'KS-085': [
    'the public parameters, each only where the algorithm has it',
    'spec',
    async ({ root }) => {
      const ec = await root.pair('test-parameters-ec', 'ec-p256');
      assert.equal(await root.parameter('ec-curve-oid', ec), 'BggqhkjOPQMBBw==');
      const point = Buffer.from(await root.parameter('ec-point', ec), 'base64');
      assert.equal(point.length, 33);
      assert.ok([2, 3].includes(point[0] ?? 0), 'the point is not compressed');
      const rsa = await root.pair('test-parameters-rsa', 'rsa-2048');
      assert.equal(await root.parameter('rsa-exponent', rsa), 'AQAB');
      assert.notEqual(Buffer.from(await root.parameter('rsa-modulus', rsa), 'base64')[0], 0);
      for (const [name, keyHandle] of [
        ['rsa-modulus', ec],
        ['ec-point', rsa],
        ['nosuch', ec],
      ] as const)
        expectError(await root.post(`/parameters/${name}`, { keyHandle }), 400, 'a parameter has an invalid value');
    },
  ],
  'KS-087': [
    'a symmetric key has no public parameters',
    'spec',
    async ({ root }) => {
      const keyHandle = await root.key('test-no-parameters');
      expectError(await root.post('/parameters/algorithm', { keyHandle }), 400, 'handle');
    },
  ],
  'KS-093': [
    'twenty creations of one pair at once make one pair',
    'spec',
    async ({ root }) => {
      const handles = await Promise.all(Array.from({ length: 20 }, () => root.pair('test-parallel')));
      const points = new Set(await Promise.all(handles.map((handle) => root.parameter('ec-point', handle))));
      assert.equal(points.size, 1);
    },
  ],
  'KS-094': [
    'a kill during creations leaves no half-written key',
    'spec',
    async (on) => {
      const { world, root } = await freshOn(on);
      await root.pair('test-before');
      const calls = Array.from({ length: 8 }, (_, number) => root.pair(`test-kill-${number}`).catch(() => undefined));
      await Promise.race(calls);
      world.running('keyd').kill('SIGKILL');
      const answered = await Promise.all(calls);
      await world.restart('keyd');
      for (const [number, handle] of answered.entries()) {
        const result = await root.get(`/keypair/test-kill-${number}`);
        if (handle === undefined)
          assert.ok(!result.closed && (result.status === 200 || result.status === 400), 'neither whole nor absent');
        else expectStatus(result, 200);
        const point = await publicEc(root, await root.pair(`test-kill-${number}`));
        const signature = await root.ecdsa(await root.pair(`test-kill-${number}`), DIGEST);
        assert.ok(verifiesDigest(point, DIGEST, signature));
      }
    },
  ],
});

const usesPairs = storeGroups('use of key pairs', {
  'KS-023': [
    'an answer without content ends its connection, as the client of the reference reads it to the end',
    'spec',
    async ({ root, world }) => {
      const body = { keyHandle: await root.pair('test-no-content') };
      await root.pair('test-no-content-source');
      for (const request of [
        { method: 'POST', target: '/keypair/test-no-content', body: { from: 'test-no-content-source' } },
        { method: 'DELETE', target: '/keypair', body },
        { method: 'DELETE', target: '/key', body: { keyHandle: await root.key('test-no-content-key') } },
      ]) {
        const connection = await WireConnection.open(world.socket('keyd'));
        try {
          const target = `${request.target}?api-version=2021-05-01`;
          const answer = answered(await connection.ask({ ...request, target }));
          assert.equal(answer.status, 204);
          assert.equal(answer.body, '');
          assert.ok(answer.oneWrite && answer.headBytes <= 512, 'the head is not in one small read');
          assert.equal(header(answer, 'content-length'), undefined, 'RFC 9110 forbids a length here');
          assert.ok(await connection.closesWithin(2_000), 'the connection stays open');
        } finally {
          connection.close();
        }
      }
    },
  ],
  'KS-072': [
    'a mechanism of another kind of key is refused',
    'spec',
    async ({ root }) => {
      const [key, pair] = [await root.key('test-wrong-kind'), await root.pair('test-wrong-kind-pair')];
      const text = 'mechanism cannot be used';
      expectError(await root.signHmac(pair, 'm'), 400, text);
      expectError(await root.signEcdsa(key, DIGEST), 400, text);
      expectError(await root.aead('encrypt', pair, 'AAAA'), 400, text);
      for (const algorithm of ['RSA-PKCS1', 'RSA-NO-PADDING'])
        expectError(await root.encryptRsa(key, algorithm, DIGEST), 400, text);
    },
  ],
  'KS-074': [
    'ECDSA is DER and verifies; of a longer digest the first 32 bytes count',
    'spec',
    async ({ root }) => {
      const handle = await root.pair('test-ecdsa');
      const key = await publicEc(root, handle);
      for (const digest of [DIGEST, randomBytes(64)])
        assert.ok(verifiesDigest(key, digest.subarray(0, 32), await root.ecdsa(handle, digest)));
    },
  ],
  'KS-075': [
    'ECDSA on an RSA pair and RSA on an EC pair are 400',
    'spec',
    async ({ root }) => {
      const text = 'a parameter has an invalid value';
      expectError(await root.signEcdsa(await root.pair('test-rsa', 'rsa-2048'), DIGEST), 400, text);
      expectError(await root.encryptRsa(await root.pair('test-ecdsa'), 'RSA-PKCS1', DIGEST), 400, text);
    },
  ],
  'KS-076': [
    'RSA-PKCS1 of a DigestInfo verifies; 246 bytes do not fit a key of 2048 bits',
    'spec',
    async ({ root }) => {
      const handle = await root.pair('test-rsa', 'rsa-2048');
      const key = await publicRsa(root, handle);
      const block = Buffer.concat([DIGEST_INFO, DIGEST]);
      const signature = await rsaOperation(root, handle, 'RSA-PKCS1', block);
      assert.deepEqual(publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature), block);
      expectError(await root.encryptRsa(handle, 'RSA-PKCS1', Buffer.alloc(246, 1)), [400, 500]);
    },
  ],
  'KS-077': [
    'RSA-NO-PADDING is the bare operation, as PSS needs it; a number not below the modulus is refused',
    'spec',
    async ({ root }) => {
      const handle = await root.pair('test-rsa', 'rsa-2048');
      const key = await publicRsa(root, handle);
      const block = Buffer.concat([Buffer.of(0), randomBytes(255)]);
      const output = await rsaOperation(root, handle, 'RSA-NO-PADDING', block);
      assert.deepEqual(publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, output), block);
      expectError(await root.encryptRsa(handle, 'RSA-NO-PADDING', Buffer.alloc(256, 0xff)), [400, 500]);
    },
  ],
  'KS-091': [
    'a move takes the pair to the other id and leaves none behind',
    'spec',
    async ({ root }) => {
      const source = await root.pair('test-move-from');
      const point = await root.parameter('ec-point', source);
      const target = await root.pair('test-move-to');
      expectStatus(await root.post('/keypair/test-move-to', { from: 'test-move-from' }), 204);
      expectError(await root.get('/keypair/test-move-from'), 400);
      expectError(await root.signEcdsa(source, DIGEST), 400);
      assert.equal(await root.parameter('ec-point', target), point);
      assert.ok(verifiesDigest(p256Key(point), DIGEST, await root.ecdsa(target, DIGEST)));
    },
  ],
  'KS-092': [
    'a move without source, onto itself or of a symmetric key is refused, and the target stays',
    'spec',
    async ({ root }) => {
      const target = await root.pair('test-move-kept');
      const point = await root.parameter('ec-point', target);
      expectError(await root.post('/keypair/test-move-kept', { from: 'test-move-none' }), [400, 404]);
      expectError(await root.post('/keypair/test-move-kept', { from: 'test-move-kept' }), 400, 'identical');
      expectError(await root.post('/key/test-move-kept', { from: 'x' }), 400, 'invalid type "key"');
      assert.equal(await root.parameter('ec-point', target), point);
      assert.ok(verifiesDigest(p256Key(point), DIGEST, await root.ecdsa(target, DIGEST)));
    },
  ],
});

export const keyPairs = [...makesPairs, ...usesPairs];
