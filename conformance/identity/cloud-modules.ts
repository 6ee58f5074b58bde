import assert from 'node:assert/strict';
import { createHash, createHmac } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { cloudOf, cutAll, startIdentityd } from '../cloud/index.ts';
import { expectError, expectStatus, group, type World } from '../runner/index.ts';
import {
  cloudDevice,
  createModule,
  DEVICE,
  getModule,
  headerOf,
  macBy,
  removeModule,
  seen,
  specOf,
  startAgain,
  startedDevice,
  updateModule,
} from './cloud-device.ts';
import { ask, principal } from './world.ts';

/** The module as the hub holds it. */
async function inHub(world: World, moduleId: string) {
  const module = (await cloudOf(world).cloud.modules(DEVICE)).get(moduleId);
  assert.ok(module, `the hub has no module ${moduleId}`);
  return module;
}

/** Whether the handle that an identity came with signs as the primary key that the hub holds. */
async function signsAsHub(world: World, moduleId: string, identity: Record<string, unknown>): Promise<void> {
  const { keyHandle } = identity['auth'] as { keyHandle?: unknown };
  const { primaryKey = '' } = (await inHub(world, moduleId)).authentication;
  const expected = createHmac('sha256', Buffer.from(primaryKey, 'base64')).update('message').digest('base64');
  assert.equal(await macBy(world, keyHandle, 'message'), expected);
}

async function cacheFiles(world: World): Promise<readonly string[]> {
  const entries = await readdir(world.path('identityd', 'home', 'modules'), { recursive: true }).catch(() => []);
  return entries.filter((name) => name.includes('/'));
}

export const cloudModules = group('identityd modules in a hub', {
  'IS-020': [
    'root that is listed as a module is that module, and no more',
    'spec',
    async (context) => {
      context.needRoot();
      const { world } = await cloudDevice(context, { tables: principal(0, 'of-root', ['module']) });
      await startIdentityd(world);
      assert.equal(specOf(await ask(world, 0, 'GET', '/identities/identity'))['moduleId'], 'of-root');
      expectError(await ask(world, 0, 'POST', '/identities/device', { type: 'aziot' }), 401);
    },
  ],
  'IS-065': [
    'a creation is two PUTs: one that makes the module, one with If-Match * that sets both keys',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context);
      await cloud.clearJournal();
      expectStatus(await createModule(world, 'two'), 200);
      const [make, set, ...rest] = (await seen(world, 'hub')).filter(({ method }) => method === 'PUT');
      assert.ok(make && set && rest.length === 0, 'two PUTs');
      assert.deepEqual([headerOf(make, 'if-match'), headerOf(set, 'if-match')], [undefined, '*']);
      assert.deepEqual(JSON.parse(make.body), { moduleId: 'two', deviceId: DEVICE });
      const { authentication } = JSON.parse(set.body) as {
        authentication: { type: string; symmetricKey: Record<string, string> };
      };
      assert.equal(authentication.type, 'sas');
      const { primaryKey = '', secondaryKey = '' } = authentication.symmetricKey;
      for (const key of [primaryKey, secondaryKey]) assert.equal(Buffer.from(key, 'base64').length, 32);
      assert.notEqual(primaryKey, secondaryKey);
    },
  ],
  'IS-069': [
    'the handle of a module signs as the primary key that the hub holds',
    'spec',
    async (context) => {
      const { world } = await startedDevice(context);
      await signsAsHub(world, 'signs', specOf(await createModule(world, 'signs')));
      await signsAsHub(world, 'signs', specOf(await getModule(world, 'signs')));
    },
  ],
  'IS-068': [
    'module keys come from a master key that is made once: the same handle signs the same after a restart',
    'spec',
    async (context) => {
      const { world } = await startedDevice(context);
      const before = specOf(await createModule(world, 'again'))['auth'] as { keyHandle?: unknown };
      const mac = await macBy(world, before.keyHandle, 'message');
      await startAgain(world);
      const after = specOf(await getModule(world, 'again'))['auth'] as { keyHandle?: unknown };
      assert.equal(await macBy(world, after.keyHandle, 'message'), mac);
    },
  ],
  'IS-071': [
    'an update sets the derived keys in the hub again, whoever changed them',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context);
      expectStatus(await createModule(world, 'changed'), 200);
      const derived = (await inHub(world, 'changed')).authentication;
      const key = Buffer.alloc(32, 9).toString('base64');
      await cloud.putModule(DEVICE, 'changed', {
        authentication: { type: 'sas', primaryKey: key, secondaryKey: key },
      });
      await signsAsHub(world, 'changed', specOf(await updateModule(world, 'changed')));
      assert.deepEqual((await inHub(world, 'changed')).authentication, derived);
    },
  ],
  'IS-073': [
    'a module is removed with its cache file: 204; one that is not there is 404; type local is 400',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context);
      expectStatus(await createModule(world, 'gone'), 200);
      assert.equal((await cacheFiles(world)).length, 1);
      expectError(await removeModule(world, 'gone', 'local'), 400, 'type');
      expectStatus(await removeModule(world, 'gone'), 204);
      assert.ok(!(await cloud.modules(DEVICE)).has('gone'), 'the hub has it no more');
      assert.deepEqual(await cacheFiles(world), []);
      expectError(await removeModule(world, 'gone'), 404);
    },
  ],
  'IS-077': [
    'a module that was seen before is told while the hub is away',
    'spec',
    async (context) => {
      const { world } = await startedDevice(context);
      expectStatus(await createModule(world, 'kept'), 200);
      cutAll(cloudOf(world));
      assert.equal(specOf(await getModule(world, 'kept'))['moduleId'], 'kept');
    },
  ],
  'IS-077/first': [
    'with prefer_module_identity_cache a module that was seen before is told without asking the hub',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context, { more: 'prefer_module_identity_cache = true\n' });
      expectStatus(await createModule(world, 'kept'), 200);
      await cloud.clearJournal();
      assert.equal(specOf(await getModule(world, 'kept'))['moduleId'], 'kept');
      assert.deepEqual(await seen(world, 'hub'), []);
    },
  ],
  'IS-078': [
    'a module that was removed in the hub is 404, not told from the cache',
    'spec',
    async (context) => {
      const { world, cloud } = await startedDevice(context);
      expectStatus(await createModule(world, 'removed'), 200);
      await cloud.removeModule(DEVICE, 'removed');
      expectError(await getModule(world, 'removed'), 404);
      assert.deepEqual(await cacheFiles(world), []);
    },
  ],
  'IS-080': [
    'the cache file of my-mod_1 lies where the documented formula says',
    'spec',
    async (context) => {
      const { world } = await startedDevice(context);
      expectStatus(await createModule(world, 'my-mod_1'), 200);
      const hex = (text: string) => createHash('sha256').update(text).digest('hex');
      const folder = `${hex('hub1.iot.test')}-${hex(DEVICE)}`;
      assert.deepEqual(await cacheFiles(world), [`${folder}/mymod1-${hex('my-mod_1')}`]);
    },
  ],
});
