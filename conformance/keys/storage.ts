import assert from 'node:assert/strict';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { type Context, expectError, expectStatus, group, stringMember, type World } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { keyFile } from './key-files.ts';
import { keydOnFiles, VECTOR_KEY } from './world.ts';

async function shared(context: Context): Promise<{ world: World; root: Caller }> {
  const world = await context.shared(keydOnFiles);
  return { world, root: new Caller(world) };
}

const VECTOR_TEXT = JSON.stringify({
  key_id: { KeyPair: 'device-id' },
  nonce: Buffer.alloc(64, 0xaa).toString('base64'),
});
const VECTOR_HANDLE = `sr=${Buffer.from(VECTOR_TEXT).toString('base64')}&sig=6y5T1edwv3pD6Ppg9oBeC09YgykgKXOjSGQZS+aIdmY=`;

export const storage = group('keyd storage', {
  'KS-040': [
    'without any store keyd starts, and a key has no place',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await world.configure('keyd', {});
      await world.start('keyd');
      expectError(await new Caller(world).post('/key', { keyId: 'x', usage: 'sign' }), [400, 500]);
      if (context.isRoot) expectError(await new Caller(world, 4009).post('/key', { keyId: 'x', usage: 'sign' }), 401);
    },
  ],
  'KS-041': [
    'wrong library parameters and preloaded keys end the start with exit 1',
    'spec',
    async (context) => {
      const wrong = [
        '[aziot_keys]\nnosuch = "x"\n',
        '[aziot_keys]\nhomedir_path = 5\n',
        '[preloaded_keys]\nx = "http://x"\n',
        '[preloaded_keys]\n"" = "file:///x"\n',
      ];
      for (const main of wrong) {
        const world = await context.fresh();
        await world.configure('keyd', { main });
        assert.equal((await world.startExpectingExit('keyd')).code, 1, main);
      }
    },
  ],
  'KS-043': [
    'a new key is 32 random bytes in a file of the documented name',
    'spec',
    async (context) => {
      const { world, root } = await shared(context);
      assert.match(await root.key('test1'), /^sr=/);
      const path = keyFile(world, 'test1');
      assert.equal((await readFile(path)).length, 32);
      assert.equal((await stat(path)).mode & 0o077, 0, 'others can read the key file');
    },
  ],
  'KS-044': [
    'creating again keeps the key and gives another handle',
    'spec',
    async (context) => {
      const { world, root } = await shared(context);
      const first = await root.key('test-again');
      const bytes = await readFile(keyFile(world, 'test-again'));
      const second = await root.key('test-again');
      assert.notEqual(first, second);
      assert.deepEqual(await readFile(keyFile(world, 'test-again')), bytes);
      const signature = async (handle: string) =>
        stringMember(expectStatus(await root.signHmac(handle, 'm'), 200), 'signature');
      assert.equal(await signature(first), await signature(second));
    },
  ],
  'KS-047': [
    'an import stores exactly its bytes and replaces',
    'spec',
    async (context) => {
      const { world, root } = await shared(context);
      await root.key('test-import', 'sign', Buffer.alloc(64, 7).toString('base64'));
      assert.deepEqual(await readFile(keyFile(world, 'test-import')), Buffer.alloc(64, 7));
      await root.key('test-import', 'sign', VECTOR_KEY.toString('base64'));
      assert.deepEqual(await readFile(keyFile(world, 'test-import')), VECTOR_KEY);
    },
  ],
  'KS-049': [
    'an import of no bytes is refused and writes nothing',
    'spec',
    async (context) => {
      const { world, root } = await shared(context);
      expectError(await root.post('/key', { keyId: 'test-empty', usage: 'sign', keyBytes: '' }), [400, 422]);
      await assert.rejects(stat(keyFile(world, 'test-empty')));
    },
  ],
  'KS-051': [
    'delete removes the file, and may be repeated',
    'spec',
    async (context) => {
      const { world, root } = await shared(context);
      const keyHandle = await root.key('test-delete');
      expectStatus(await root.delete('/key', { keyHandle }), 204);
      await assert.rejects(stat(keyFile(world, 'test-delete')));
      expectStatus(await root.delete('/key', { keyHandle }), 204);
      expectError(await root.signHmac(keyHandle, 'm'), 400);
      expectError(await root.get('/key/test-delete'), 400);
    },
  ],
  'KS-056': [
    'a store that cannot be written answers 500 without its path',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await world.file('keyd/blocked', 'a file in place of the folder');
      await world.configure('keyd', { main: '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/blocked"\n' });
      await world.start('keyd');
      assert.equal(
        expectError(await new Caller(world).post('/key', { keyId: 'x', usage: 'sign' }), 500),
        'internal error',
      );
    },
  ],
  'KS-059': [
    'a handle of another implementation with the same validation key is accepted',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await world.configure('keyd', { main: '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n' });
      const path = keyFile(world, 'handle-validation-key').slice(world.root.length + 1);
      await world.file(path, VECTOR_KEY, 0o600);
      await world.start('keyd');
      const root = new Caller(world);
      await root.pair('device-id');
      assert.equal(await root.parameter('algorithm', VECTOR_HANDLE), 'ECDSA');
    },
  ],
  'KS-062': [
    'a handle is signed JSON with the key id first and a fresh nonce',
    'spec',
    async (context) => {
      const { root } = await shared(context);
      const text = (handle: string) =>
        Buffer.from(/^sr=([^&]+)&sig=/.exec(handle)?.[1] ?? '', 'base64').toString('utf8');
      const [one, two] = [text(await root.key('test-nonce')), text(await root.key('test-nonce'))];
      assert.match(one, /^\{"key_id":\{"Key":"test-nonce"\},"nonce":"[A-Za-z0-9+/]{86}=="\}$/);
      assert.notEqual(one, two);
    },
  ],
  'KS-069': [
    'a key pair is no base for a derived key',
    'spec',
    async (context) => {
      const { root } = await shared(context);
      expectError(await root.derive(await root.pair('test-derive-pair'), VECTOR_KEY), 400, 'handle');
    },
  ],
  'KS-089': [
    'a key pair does not replace a symmetric key, nor the reverse',
    'spec',
    async (context) => {
      const { world, root } = await shared(context);
      await root.key('test-kind-key', 'sign', VECTOR_KEY.toString('base64'));
      expectError(await root.post('/keypair', { keyId: 'test-kind-key' }), [400, 409]);
      assert.deepEqual(await readFile(keyFile(world, 'test-kind-key')), VECTOR_KEY);
      await root.pair('test-kind-pair');
      expectError(await root.post('/key', { keyId: 'test-kind-pair', usage: 'sign' }), [400, 409]);
    },
  ],
  'KS-090': [
    'a preloaded file that is deleted is kept aside',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await world.file('pre/operator', VECTOR_KEY);
      await world.configure('keyd', {
        main: '[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n[preloaded_keys]\nmine = "file://@ROOT@/pre/operator"\n',
      });
      await world.start('keyd');
      const root = new Caller(world);
      const keyHandle = stringMember(expectStatus(await root.get('/key/mine'), 200), 'keyHandle');
      expectStatus(await root.delete('/key', { keyHandle }), 204);
      const names = await readdir(world.path('pre'));
      assert.equal(names.length, 1);
      assert.match(names[0] ?? '', /^operator\.deleted-/);
      expectError(await root.get('/key/mine'), 400);
    },
  ],
  'KS-093': [
    'twenty creations of one pair at once make one pair',
    'spec',
    async (context) => {
      const { root } = await shared(context);
      const handles = await Promise.all(Array.from({ length: 20 }, () => root.pair('test-parallel')));
      const points = new Set(await Promise.all(handles.map((handle) => root.parameter('ec-point', handle))));
      assert.equal(points.size, 1);
    },
  ],
  'KS-094': [
    'a kill during creations leaves no half-written key',
    'spec',
    async (context) => {
      const world = await context.fresh();
      await keydOnFiles.build(world);
      const root = new Caller(world);
      const calls = Array.from({ length: 8 }, (_, number) => root.pair(`test-kill-${number}`).catch(() => undefined));
      await new Promise((resolve) => setTimeout(resolve, 10));
      world.running('keyd').kill('SIGKILL');
      await Promise.all(calls);
      await world.restart('keyd');
      for (let number = 0; number < 8; number += 1) {
        const result = await root.get(`/keypair/test-kill-${number}`);
        assert.ok(!result.closed && (result.status === 200 || result.status === 400), 'neither whole nor absent');
        await root.pair(`test-kill-${number}`);
      }
    },
  ],
  'KS-050': [
    'an empty key file counts as missing for creation, and is an error for loading',
    'spec',
    async (context) => {
      const { world, root } = await shared(context);
      await root.key('test-hollow');
      await writeFile(keyFile(world, 'test-hollow'), '');
      expectError(await root.get('/key/test-hollow'), 500, 'internal error');
      await root.key('test-hollow');
      assert.equal((await readFile(keyFile(world, 'test-hollow'))).length, 32);
    },
  ],
});
