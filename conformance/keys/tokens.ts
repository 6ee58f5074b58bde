import assert from 'node:assert/strict';
import { constants, createHash, publicDecrypt, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { expectError, expectStatus, stringMember, type World } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { compileCryptoki3, compilerMissing } from './native.ts';
import { freshOn, type OnStore, storeGroups, tokenObjects } from './on-store.ts';
import { p256Key, rsaKey } from './public-key.ts';
import { PIN, pkcs11Tool, TOKEN_LABEL, tokenLines } from './stores.ts';
import { verifiesDigest } from './verify-digest.ts';
import { VECTOR_KEY, VECTORS } from './world.ts';

const ABOUT_TOKENS = 'about tokens';
const DIGEST = createHash('sha256').update('hello').digest();
const SPIES = ['/usr/lib/x86_64-linux-gnu/pkcs11-spy.so', '/usr/lib/aarch64-linux-gnu/pkcs11-spy.so'];
const home = '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n';

async function keyFiles(world: World): Promise<string[]> {
  return readdir(world.path('keyd/home/keys')).catch(() => []);
}

/** A world with an empty token of the store, not yet configured. */
async function withToken({ context, store }: OnStore): Promise<World> {
  const world = await context.fresh();
  await store.prepare(world);
  return world;
}

/** Starts keyd with these lines in `[aziot_keys]`. */
async function startWith(world: World, lines: string, rest = ''): Promise<Caller> {
  await world.configure('keyd', { main: `${home}${lines}\n${rest}` });
  await world.start('keyd');
  return new Caller(world);
}

/** The number of the initialised slot: SoftHSM numbers its slots at random. */
async function slotNumber({ store }: OnStore, world: World): Promise<number> {
  const listed = await pkcs11Tool(world, store.module ?? '', ['--list-slots']);
  const slot = listed.split(/^Slot /m).find((text) => text.includes(TOKEN_LABEL));
  return Number.parseInt(/\((0x[0-9a-f]+)\)/.exec(slot ?? '')?.[1] ?? '', 16);
}

/** Sends 256 bytes through the bare RSA operation and verifies the result with the public key. */
async function bareRsaVerifies(root: Caller, handle: string): Promise<void> {
  const key = rsaKey(await root.parameter('rsa-modulus', handle), await root.parameter('rsa-exponent', handle));
  const block = Buffer.concat([Buffer.of(0), randomBytes(255)]);
  const answer = expectStatus(await root.encryptRsa(handle, 'RSA-NO-PADDING', block), 200);
  const output = Buffer.from(stringMember(answer, 'ciphertext'), 'base64');
  assert.deepEqual(publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, output), block);
}

export const tokens = storeGroups('tokens', {
  'KS-095': [
    'all keys, the handle-validation key too, are private and sensitive objects with the id as label, and no files',
    'spec',
    async (on) => {
      const { world, root } = await freshOn(on);
      await root.key('test-hmac', 'sign');
      await root.key('test-aes', 'encrypt');
      await root.pair('test-ec');
      await root.pair('test-rsa', 'rsa-2048');
      for (const label of ['test-hmac', 'test-aes', 'test-ec', 'test-rsa', 'handle-validation-key']) {
        const objects = await tokenObjects(world, on.store, label);
        const secret = objects.filter(({ kind }) => kind !== 'Public Key Object');
        assert.equal(secret.length, 1, `${label} is not one object`);
        assert.match(secret[0]?.access ?? '', /sensitive/, `${label} can be read`);
        assert.match(secret[0]?.access ?? '', /never extractable/, `${label} could be taken out`);
      }
      assert.deepEqual(await keyFiles(world), []);
    },
    { file: ABOUT_TOKENS, tpm: 'its module has no mechanism for symmetric keys: KS-096' },
  ],
  'KS-096': [
    'a token without generic secrets: the handle-validation key is a file, with a warning, pairs are in the token',
    'spec',
    async (on) => {
      const { world, root } = await freshOn(on);
      await root.pair('test-ec');
      assert.equal((await tokenObjects(world, on.store, 'test-ec')).length, 2);
      const files = await keyFiles(world);
      assert.equal(files.length, 1);
      assert.match(files[0] ?? '', /^handlevalidationkey-[0-9a-f]{64}\.key$/);
      await world.running('keyd').logged(/\[WARN\].*"handle-validation-key"/, 5_000);
    },
    { file: ABOUT_TOKENS, softhsm: 'it has generic secrets: KS-095' },
  ],
  'KS-097': [
    'a wrong PIN is 500 and is tried once, whatever is asked',
    'spec',
    async (on) => {
      const spy = SPIES.find((path) => existsSync(path));
      if (!spy) return on.context.skip('needs the spy module of opensc: apt-get install opensc');
      const world = await withToken(on);
      world.env['PKCS11SPY'] = on.store.module ?? '';
      world.env['PKCS11SPY_OUTPUT'] = world.path('spy.log');
      const root = await startWith(world, tokenLines(spy, { pin: 'wrong-9999' }));
      for (const keyId of ['a', 'b', 'c'])
        assert.equal(expectError(await root.post('/keypair', { keyId }), 500), 'internal error');
      const logins = (await readFile(world.path('spy.log'), 'utf8')).match(/^\d+: C_Login/gm) ?? [];
      assert.equal(logins.length, 1, `the PIN was tried ${logins.length} times`);
      assert.ok(!world.running('keyd').log.includes('wrong-9999'), 'the log shows the PIN');
      await world.stop('keyd');
      const healed = await startWith(world, tokenLines(on.store.module ?? ''));
      await healed.pair('a');
    },
    { file: ABOUT_TOKENS },
  ],
  'KS-098': [
    'an unknown token and a missing module end the start with exit 1',
    'spec',
    async (on) => {
      const world = await withToken(on);
      const module = on.store.module ?? '';
      for (const lines of [tokenLines(module).replace(TOKEN_LABEL, 'nosuch'), tokenLines('/nosuch/module.so')]) {
        await world.configure('keyd', { main: `${home}${lines}\n` });
        const ended = await world.startExpectingExit('keyd');
        assert.equal(ended.code, 1, ended.log);
        assert.match(ended.log, /nosuch/);
        assert.ok(!ended.log.includes(PIN), 'the log shows the PIN');
      }
    },
    { file: ABOUT_TOKENS },
  ],
  'KS-099': [
    'slot-id goes before token; one of them is needed; a PIN in the path part is none',
    'spec',
    async (on) => {
      const world = await withToken(on);
      const base = (uri: string) => `pkcs11_lib_path = "${on.store.module}"\npkcs11_base_slot = "${uri}"`;
      const slot = await slotNumber(on, world);
      const root = await startWith(world, base(`pkcs11:slot-id=${slot};token=nosuch?pin-value=${PIN}`));
      await root.pair('test-by-slot');
      assert.equal((await tokenObjects(world, on.store, 'test-by-slot')).length, 2);
      await world.stop('keyd');
      await world.configure('keyd', { main: `${home}${base(`pkcs11:object=x?pin-value=${PIN}`)}\n` });
      assert.equal((await world.startExpectingExit('keyd')).code, 1);
      const unlogged = await startWith(world, base(`pkcs11:token=${TOKEN_LABEL};pin-value=${PIN}`));
      expectError(await unlogged.post('/keypair', { keyId: 'test-no-login' }), [400, 500]);
      assert.equal((await tokenObjects(world, on.store, 'test-no-login')).length, 0);
    },
    { file: ABOUT_TOKENS },
  ],
  'KS-100': [
    'token signatures: ECDSA in DER, bare RSA as PSS needs it, AEAD in the form of files',
    'spec',
    async ({ root, store }) => {
      const pair = await root.pair('test-token-ec');
      const signature = await root.ecdsa(pair, DIGEST);
      assert.ok(verifiesDigest(p256Key(await root.parameter('ec-point', pair)), DIGEST, signature));
      await bareRsaVerifies(root, await root.pair('test-token-rsa', 'rsa-2048'));
      const key = await root.key('test-token-aes', 'encrypt', VECTOR_KEY.toString('base64'));
      const opened = expectStatus(await root.aead('decrypt', key, VECTORS.aeadV2), 200);
      assert.equal(stringMember(opened, 'plaintext'), Buffer.from('someplaintext').toString('base64'));
      const old = await root.aead('decrypt', key, VECTORS.aeadV1);
      if (store.symmetricIn === 'token') expectError(old, 400, 'a parameter has an invalid value');
      else expectStatus(old, 200);
    },
    { file: ABOUT_TOKENS },
  ],
  'KS-101': [
    'a move in the token from a missing source keeps the target',
    'spec',
    async ({ root, world, store }) => {
      const target = await root.pair('test-target');
      expectError(await root.post('/keypair/test-target', { from: 'test-nowhere' }), [400, 404]);
      assert.equal((await tokenObjects(world, store, 'test-target')).length, 2);
      expectStatus(await root.signEcdsa(target, DIGEST), 200);
    },
    { file: ABOUT_TOKENS },
  ],
  'KS-102': [
    'a preloaded token key without object is the first of its class and cannot be deleted; without a module it is 400',
    'spec',
    async (on) => {
      const world = await withToken(on);
      const login = ['--token-label', TOKEN_LABEL, '--login', '--pin', PIN];
      const made = ['--keypairgen', '--key-type', 'EC:prime256v1', '--label', 'of-the-operator'];
      await pkcs11Tool(world, on.store.module ?? '', [...login, ...made]);
      const uri = `pkcs11:token=${TOKEN_LABEL}?pin-value=${PIN}`;
      const preloaded = `[preloaded_keys]\nfirst = "${uri}"\n`;
      const root = await startWith(world, tokenLines(on.store.module ?? ''), preloaded);
      const keyHandle = stringMember(expectStatus(await root.get('/keypair/first'), 200), 'keyHandle');
      const key = p256Key(await root.parameter('ec-point', keyHandle));
      assert.ok(verifiesDigest(key, DIGEST, await root.ecdsa(keyHandle, DIGEST)));
      expectError(await root.delete('/keypair', { keyHandle }), 400);
      assert.equal((await tokenObjects(world, on.store, 'of-the-operator')).length, 2);
      await world.stop('keyd');
      const bare = await startWith(world, '', preloaded);
      expectError(await bare.get('/keypair/first'), 400, 'a parameter has an invalid value');
    },
    { file: ABOUT_TOKENS },
  ],
  'KS-103': [
    'a module of Cryptoki 3.0 works',
    'spec',
    async (on) => {
      const missing = compilerMissing();
      if (missing !== undefined) on.context.skip(missing);
      const world = await withToken(on);
      const module = await compileCryptoki3(world, on.store.module ?? '');
      const root = await startWith(world, tokenLines(module));
      expectStatus(await root.signEcdsa(await root.pair('test-ec'), DIGEST), 200);
      assert.equal((await tokenObjects(world, on.store, 'test-ec')).length, 2);
    },
    { file: ABOUT_TOKENS },
  ],
});
