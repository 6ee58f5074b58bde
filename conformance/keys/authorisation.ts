import assert from 'node:assert/strict';
import { type Context, expectError, expectStatus, group } from '../runner/index.ts';
import { Caller } from './caller.ts';
import { keydOnFiles, STRANGER, USER } from './world.ts';

async function callers(context: Context): Promise<{ root: Caller; user: Caller; stranger: Caller }> {
  context.needRoot();
  const world = await context.shared(keydOnFiles);
  return { root: new Caller(world), user: new Caller(world, USER), stranger: new Caller(world, STRANGER) };
}

export const authorisation = group('keyd authorisation', {
  'KS-028': [
    'every call that names a foreign key is 401',
    'spec',
    async (context) => {
      const { user } = await callers(context);
      const text = `user ${USER} is not authorized to access the key other`;
      for (const path of ['/key/other', '/keypair/other']) expectError(await user.get(path), 401, text);
      expectError(await user.post('/key', { keyId: 'other', usage: 'sign' }), 401, text);
      expectError(await user.post('/keypair', { keyId: 'other' }), 401, text);
      expectError(await user.post('/keypair/other', { from: 'test-any' }), 401, text);
      expectError(await user.post('/keypair/test-any', { from: 'other' }), 401, text);
    },
  ],
  'KS-030': [
    'root needs no principal, anybody else does',
    'spec',
    async (context) => {
      const { root, stranger } = await callers(context);
      expectStatus(await root.get('/key/test-sym'), 200);
      expectError(
        await stranger.get('/key/test-sym'),
        401,
        `user ${STRANGER} is not authorized to access the key test-sym`,
      );
    },
  ],
  'KS-031': [
    'patterns: * is any run, ? one character, the case counts',
    'spec',
    async (context) => {
      context.needRoot();
      const world = await context.fresh();
      const principals =
        '[[principal]]\nuid = 5001\nkeys = ["test?"]\n[[principal]]\nuid = 5002\nkeys = ["test*"]\n[[principal]]\nuid = 5003\nkeys = ["Test*"]\n';
      await world.configure('keyd', { main: `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n${principals}` });
      await world.start('keyd');
      const allowed = async (uid: number, id: string) => {
        const body = { keyId: id, usage: 'sign' };
        const result = await new Caller(world, uid).post('/key', body);
        return !result.closed && result.status === 200;
      };
      const answers = [];
      for (const id of ['test1', 'testé', 'test', 'test12']) answers.push(await allowed(5001, id));
      for (const id of ['test', 'test/x', 'atest']) answers.push(await allowed(5002, id));
      answers.push(await allowed(5003, 'test1'));
      assert.deepEqual(answers, [true, true, false, false, true, true, false, false]);
    },
  ],
  'KS-032': [
    'principals of one uid in several files are joined',
    'spec',
    async (context) => {
      context.needRoot();
      const world = await context.fresh();
      const principal = (pattern: string) => `[[principal]]\nuid = ${USER}\nkeys = ["${pattern}"]\n`;
      const main = `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n${principal('one')}`;
      await world.configure('keyd', { main, dropIns: { 'a.toml': principal('two'), 'b.toml': principal('three') } });
      await world.start('keyd');
      const user = new Caller(world, USER);
      for (const id of ['one', 'two', 'three']) await user.key(id);
      expectError(await user.get('/key/four'), 401);
    },
  ],
});
