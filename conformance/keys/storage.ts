import assert from 'node:assert/strict';
import handles from '../../fixtures/vectors/key-handles.json' with { type: 'json' };
import { type Context, expectError, group, type World } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { keyFile } from './key-files.ts';
import { keydOnFiles, VECTOR_KEY } from './world.ts';

async function shared(context: Context): Promise<{ world: World; root: Caller }> {
  const world = await context.shared(keydOnFiles);
  return { world, root: new Caller(world) };
}

const VECTOR_HANDLE = handles.cases.find(({ name }) => name === 'key pair')?.handle ?? '';

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
});
