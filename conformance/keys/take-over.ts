import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createDecipheriv, createHmac, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { expectStatus, stringMember, type World } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { fileName } from './key-files.ts';
import { compilerMissing, secretWriter } from './native.ts';
import { type OnStore, storeGroups } from './on-store.ts';
import { p256Key, rsaKey } from './public-key.ts';
import { PIN, pkcs11Tool, TOKEN_LABEL } from './stores.ts';
import { verifiesDigest } from './verify-digest.ts';
import { VECTOR_KEY } from './world.ts';

const run = promisify(execFile);
const DEVICE = new URL('../../fixtures/devices/keyd-files/', import.meta.url);
const DIGEST = Buffer.alloc(32, 7);
const PAIR_IDS = ['est-id', 'est-bootstrap-id', 'local-ca'] as const;
type PairId = (typeof PAIR_IDS)[number];
const KEY_IDS = ['device-id', 'aziot_identityd_master_id', 'module a/b c'] as const;
type KeyId = (typeof KEY_IDS)[number];

/** What another keyd had given out for its keys: `expect.json` of the device. */
interface GivenOut {
  readonly handles: Readonly<Record<PairId | KeyId, string>>;
  readonly derived: { readonly handle: string; readonly key: string };
  readonly publicKeys: Readonly<Record<PairId, string>>;
  readonly hmacOfHello: Readonly<Record<KeyId, string>>;
  readonly ciphertexts: Readonly<Record<'iv' | 'aad' | 'plaintext' | 'v1' | 'v2', string>>;
}

async function givenOut(): Promise<GivenOut> {
  return JSON.parse(await readFile(new URL('expect.json', DEVICE), 'utf8')) as GivenOut;
}

/** Puts the device's files where its configuration has them, with the modes of the reference: 0644 in 0755. */
async function copyFiles(world: World, wanted: (name: string) => boolean): Promise<void> {
  await mkdir(world.path('keyd/home/keys'), { mode: 0o755 });
  for (const name of await readdir(new URL('home/keys/', DEVICE)))
    if (wanted(name)) await world.file(`keyd/home/keys/${name}`, await readFile(new URL(`home/keys/${name}`, DEVICE)));
  await world.file('secrets/device-id', await readFile(new URL('secrets/device-id', DEVICE)));
}

/** Starts keyd with the device's configuration, and these lines in `[aziot_keys]`. */
async function takeOver(world: World, lines: string): Promise<Caller> {
  const config = await readFile(new URL('config.toml', DEVICE), 'utf8');
  await world.configure('keyd', { main: config.replace('[preloaded_keys]', `${lines}\n[preloaded_keys]`) });
  await world.start('keyd');
  return new Caller(world);
}

/** Puts the device's keys into the token with another program, as the reference has them there: the id is the label. */
async function fillToken({ store }: OnStore, world: World): Promise<void> {
  const module = store.module ?? '';
  const content = (id: string) => readFile(new URL(`home/keys/${fileName(id)}`, DEVICE));
  const writeSecret = await secretWriter(world, module, PIN);
  for (const id of ['handle-validation-key', 'aziot_identityd_master_id', 'module a/b c'])
    writeSecret(id, await content(id));
  const write = async (der: Uint8Array, id: string, type: 'privkey' | 'pubkey') => {
    await writeFile(world.path('object'), der);
    const login = ['--token-label', TOKEN_LABEL, '--login', '--pin', PIN];
    const object = ['--write-object', world.path('object'), '--label', id, '--usage-sign', '--type', type];
    await pkcs11Tool(world, module, [...login, ...object]);
  };
  for (const id of PAIR_IDS) {
    const key = createPrivateKey(await content(id));
    await write(key.export({ type: 'pkcs8', format: 'der' }), id, 'privkey');
    await write(createPublicKey(key).export({ type: 'spki', format: 'der' }), id, 'pubkey');
  }
}

async function publicKeyOf(root: Caller, handle: string): Promise<KeyObject> {
  if ((await root.parameter('algorithm', handle)) === 'ECDSA') return p256Key(await root.parameter('ec-point', handle));
  return rsaKey(await root.parameter('rsa-modulus', handle), await root.parameter('rsa-exponent', handle));
}

/** Every handle, key, derived key and ciphertext of before the swap works. */
async function expectOldWorks(root: Caller, old: GivenOut): Promise<void> {
  for (const id of KEY_IDS) assert.equal(await root.mac(old.handles[id], 'hello'), old.hmacOfHello[id], id);
  for (const id of PAIR_IDS) {
    const key = await publicKeyOf(root, old.handles[id]);
    assert.ok(key.equals(createPublicKey(old.publicKeys[id])), `${id} is another key`);
    if (key.asymmetricKeyType === 'ec')
      assert.ok(verifiesDigest(key, DIGEST, await root.ecdsa(old.handles[id], DIGEST)), id);
    else expectStatus(await root.encryptRsa(old.handles[id], 'RSA-PKCS1', DIGEST), 200);
  }
  const exported = expectStatus(await root.post('/derivedkey/export', { keyHandle: old.derived.handle }), 200);
  assert.equal(stringMember(exported, 'key'), old.derived.key);
  const { iv, aad, plaintext, v1, v2 } = old.ciphertexts;
  for (const ciphertext of [v1, v2]) {
    const opened = expectStatus(await root.aead('decrypt', old.handles['device-id'], ciphertext, { iv, aad }), 200);
    assert.equal(Buffer.from(stringMember(opened, 'plaintext'), 'base64').toString(), plaintext);
  }
}

/** What ours gives out is what another keyd with the same files takes: handles by keys-service.md 5, ciphertexts by 6.2. */
async function expectNewIsTaken(root: Caller): Promise<void> {
  const given = expectStatus(await root.get('/key/device-id'), 200);
  const [, sr = '', sig] = /^sr=([^&]+)&sig=(.+)$/.exec(stringMember(given, 'keyHandle')) ?? [];
  const text = Buffer.from(sr, 'base64');
  assert.equal(createHmac('sha256', VECTOR_KEY).update(text).digest('base64'), sig);
  assert.match(text.toString(), /^\{"key_id":\{"Key":"device-id"\},"nonce":"[A-Za-z0-9+/]{86}=="\}$/);
  const sealed = expectStatus(await root.aead('encrypt', stringMember(given, 'keyHandle'), 'aGVsbG8='), 200);
  const bytes = Buffer.from(stringMember(sealed, 'ciphertext'), 'base64');
  assert.equal(bytes[0], 2);
  const opener = createDecipheriv('aes-256-gcm', VECTOR_KEY, '123456789012').setAAD(Buffer.from('someaad'));
  opener.setAuthTag(bytes.subarray(-16));
  assert.equal(Buffer.concat([opener.update(bytes.subarray(1, -16)), opener.final()]).toString(), 'hello');
}

/** Keys that ours makes are files that any OpenSSL reads, under the documented names. */
async function expectNewFilesAreRead(world: World, root: Caller): Promise<void> {
  const handle = await root.pair('test new');
  const path = world.path('keyd/home/keys', fileName('test new'));
  const { stdout } = await run('openssl', ['pkey', '-in', path, '-pubout']);
  assert.ok((await publicKeyOf(root, handle)).equals(createPublicKey(stdout)));
  const key = await root.key('test new key');
  const bytes = await readFile(world.path('keyd/home/keys', fileName('test new key')));
  assert.equal(await root.mac(key, 'm'), createHmac('sha256', bytes).update('m').digest('base64'));
}

/** All files of the device, by name, in hexadecimal. */
async function contentOf(world: World): Promise<Record<string, string>> {
  const folder = world.path('keyd/home/keys');
  const names = (await readdir(folder)).sort();
  const read = async (name: string) => [name, (await readFile(`${folder}/${name}`)).toString('hex')] as const;
  return Object.fromEntries(await Promise.all(names.map(read)));
}

export const takeOverOfDevices = storeGroups('take-over', {
  'KS-106': [
    'keys, handles and ciphertexts of another keyd go on working, and what ours gives out is what the other one takes',
    'spec',
    async (on) => {
      const inFiles = on.store.symmetricIn === 'files';
      const missing = inFiles ? undefined : compilerMissing();
      if (missing !== undefined) on.context.skip(missing);
      const old = await givenOut();
      const world = await on.context.fresh();
      const lines = await on.store.prepare(world);
      await copyFiles(world, () => inFiles);
      if (!inFiles) await fillToken(on, world);
      const before = await contentOf(world);
      const root = await takeOver(world, lines);
      await expectOldWorks(root, old);
      await expectNewIsTaken(root);
      await world.restart('keyd');
      await expectOldWorks(root, old);
      assert.deepEqual(await contentOf(world), before, 'reading the device changed it');
      if (on.store.name === 'file') await expectNewFilesAreRead(world, root);
    },
  ],
  'KS-088': [
    'PEM of type SEC1 with its parameters before it, and of type PKCS#1, are read',
    'spec',
    async ({ context }) => {
      const world = await context.fresh();
      const { stdout } = await run('openssl', ['ecparam', '-name', 'prime256v1', '-genkey']);
      assert.match(stdout, /BEGIN EC PARAMETERS[\s\S]+BEGIN EC PRIVATE KEY/);
      await copyFiles(world, (name) => name.startsWith('localca-'));
      await chmod(await world.file(`keyd/home/keys/${fileName('with-parameters')}`, stdout), 0o640);
      const root = await takeOver(world, '');
      const handles = [];
      for (const id of ['with-parameters', 'local-ca'])
        handles.push(stringMember(expectStatus(await root.get(`/keypair/${id}`), 200), 'keyHandle'));
      const [ec = '', rsa = ''] = handles;
      assert.ok(verifiesDigest(await publicKeyOf(root, ec), DIGEST, await root.ecdsa(ec, DIGEST)));
      assert.equal((await publicKeyOf(root, rsa)).asymmetricKeyType, 'rsa');
    },
    {
      softhsm: 'about the text of key files, which is read the same way',
      tpm: 'about the text of key files, which is read the same way',
    },
  ],
});
