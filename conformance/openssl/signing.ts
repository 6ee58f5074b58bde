import assert from 'node:assert/strict';
import { type Context, type Group, group } from '../runner/index.ts';
import { type EngineWorld, engineKey, expectFailure } from './engine-world.ts';
import { keysWorld } from './loading.ts';

interface Signature {
  readonly key: string;
  /** Options of `openssl dgst`. */
  readonly options: readonly string[];
  readonly path: '/sign' | '/encrypt';
  readonly algorithm: 'ECDSA' | 'RSA-PKCS1' | 'RSA-NO-PADDING';
  /** Length of what keyd is given. */
  readonly bytes: number;
}

/** What the engine gave keyd to work on. */
function inputOf(body: Readonly<Record<string, unknown>>): Buffer {
  const { digest } = (body['parameters'] ?? {}) as { readonly digest?: string };
  return Buffer.from(digest ?? String(body['plaintext']), 'base64');
}

/** Signs, asserts the one request that it takes, and verifies without the engine. */
async function expectSignature(engine: EngineWorld, expected: Signature): Promise<void> {
  const { key, options, path, algorithm, bytes } = expected;
  const what = `${key} ${options.join(' ')}`;
  const ended = await engine.sign(key, options);
  assert.equal(ended.exit, 0, `${what}: ${ended.stderr}`);
  const [operation, ...more] = engine.operations();
  assert.ok(operation && more.length === 0, `${what}: ${more.length + 1} requests`);
  assert.equal(operation.path, path, what);
  assert.equal(operation.body['algorithm'], algorithm, what);
  assert.equal(inputOf(operation.body).length, bytes, `${what}: bytes to be signed`);
  await engine.verifies(key, options);
}

function ecdsa(hash: string): Signature {
  return { key: 'ec', options: [hash], path: '/sign', algorithm: 'ECDSA', bytes: 32 };
}

function pkcs1(key: string, hash: string, bytes: number): Signature {
  return { key, options: [hash], path: '/encrypt', algorithm: 'RSA-PKCS1', bytes };
}

function pss(key: string, salt: string, bytes: number): Signature {
  const options = ['-sha256', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', `rsa_pss_saltlen:${salt}`];
  return { key, options, path: '/encrypt', algorithm: 'RSA-NO-PADDING', bytes };
}

const each = (signatures: readonly Signature[]) => async (context: Context) => {
  const engine = await keysWorld(context);
  for (const signature of signatures) await expectSignature(engine, signature);
};

/** Signatures by the command line, and what a key of the engine does not do. */
export const signing: Group = group('openssl engine: signing', {
  'SSL-012': [
    'ECDSA with SHA-256 takes one request, and the signature verifies',
    'reference-run',
    each([ecdsa('-sha256')]),
  ],
  'SSL-013': [
    'SHA-384 and SHA-512 are cut to 32 bytes for P-256, and verify',
    'reference-run',
    each([ecdsa('-sha384'), ecdsa('-sha512')]),
  ],
  'SSL-014': [
    'PKCS#1 v1.5 sends the DigestInfo in one request, and verifies',
    'reference-run',
    each([pkcs1('rsa', '-sha256', 51), pkcs1('rsa', '-sha384', 67), pkcs1('rsa4k', '-sha512', 83)]),
  ],
  'SSL-015': [
    'PSS with a salt of the digest and of the greatest length sends the whole block in one request, and verifies',
    'reference-run',
    each([pss('rsa', 'digest', 256), pss('rsa', 'max', 256), pss('rsa4k', 'digest', 512)]),
  ],
  'SSL-016': [
    'decryption and X9.31 padding fail with an error',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      expectFailure(await engine.sign('rsa', ['-sha256', '-sigopt', 'rsa_padding_mode:x931']));
      const publicKey = await engine.load(engine.handle('rsa'), ['-pubout', '-out', 'rsa.pub']);
      assert.equal(publicKey.exit, 0, publicKey.stderr);
      const encrypt = ['openssl', 'pkeyutl', '-encrypt', '-pubin', '-inkey', 'rsa.pub', '-in', 'digest'];
      await engine.must([...encrypt, '-out', 'encrypted']);
      const key = engineKey('-inkey', engine.handle('rsa'));
      const decrypted = await engine.run(['openssl', 'pkeyutl', '-decrypt', ...key, '-in', 'encrypted']);
      expectFailure(decrypted);
      assert.equal(decrypted.stdout, '');
      assert.deepEqual(engine.operations(), []);
    },
  ],
  'SSL-017': [
    'a key agreement fails with an error',
    'reference-run',
    async (context) => {
      const engine = await keysWorld(context);
      const peer = ['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'peer.key'];
      await engine.must(peer);
      await engine.must(['openssl', 'pkey', '-in', 'peer.key', '-pubout', '-out', 'peer.pub']);
      const key = [...engineKey('-inkey', engine.handle('ec')), '-peerkey', 'peer.pub', '-out', 'secret'];
      expectFailure(await engine.run(['openssl', 'pkeyutl', '-derive', ...key]));
      assert.deepEqual(engine.operations(), []);
    },
  ],
});
