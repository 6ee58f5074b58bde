import assert from 'node:assert/strict';
import { expectHubError, isBase64 } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import {
  list,
  type ModuleOwner,
  moduleOf,
  newKey,
  newModuleId,
  ownerOf,
  put,
  read,
  remove,
  sasKeys,
  withModule,
} from './device.ts';

/** The ids of the modules in a list that was answered 200. */
async function listed(owner: ModuleOwner): Promise<unknown[]> {
  const answer = await list(owner);
  assert.equal(answer.status, 200, answer.body);
  const modules: unknown = JSON.parse(answer.body);
  assert.ok(Array.isArray(modules), 'an array');
  return modules.map((one: { moduleId?: unknown }) => one.moduleId);
}

export const modules = group('hub modules', {
  'HUB-001': [
    'a device lists its modules: 200 with an array as JSON',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await listed(owner);
      assert.match(String((await list(owner)).headers['content-type']), /^application\/json/i);
    },
  ],
  'HUB-002': [
    'a PUT without If-Match makes a module with two keys of the hub: 200',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, created) => {
        assert.deepEqual([created['moduleId'], created['deviceId']], [moduleId, owner.deviceId]);
        const { type, symmetricKey = {} } = created.authentication;
        assert.equal(type, 'sas');
        const { primaryKey, secondaryKey } = symmetricKey;
        for (const key of [primaryKey, secondaryKey]) assert.ok(isBase64(key, { least: 16, most: 64 }), 'key');
        assert.notEqual(primaryKey, secondaryKey);
      });
    },
  ],
  'HUB-003': [
    'a module has a decimal generationId, an etag, connection state and times, managedBy null',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (_moduleId, created) => {
        assert.match(created.generationId, /^\d+$/);
        assert.notEqual(created.etag, '');
        assert.equal(created['connectionState'], 'Disconnected');
        for (const name of ['connectionStateUpdatedTime', 'lastActivityTime', 'cloudToDeviceMessageCount'])
          assert.ok(name in created, name);
        assert.equal(created['managedBy'] ?? null, null);
      });
    },
  ],
  'HUB-004': [
    'GET and PUT answer with the etag as the header ETag, quoted',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const moduleId = newModuleId();
      const created = await put(owner, moduleId);
      try {
        for (const answer of [created, await read(owner, moduleId)])
          assert.equal(answer.headers.etag, `"${moduleOf(answer).etag}"`);
      } finally {
        await remove(owner, moduleId);
      }
    },
  ],
  'HUB-005': [
    'a module is read as it was made, and is listed once',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, created) => {
        const found = moduleOf(await read(owner, moduleId));
        assert.deepEqual([found.generationId, found.etag], [created.generationId, created.etag]);
        assert.deepEqual(found.authentication, created.authentication);
        assert.equal((await listed(owner)).filter((id) => id === moduleId).length, 1);
      });
    },
  ],
  'HUB-006': [
    'a module that is not there is 404 ModuleNotFound',
    'azure-docs',
    async (context) => {
      assert.equal(expectHubError(await read(await ownerOf(context), newModuleId()), 404), 'ModuleNotFound');
    },
  ],
  'HUB-007': [
    'a PUT without If-Match on a module that is there is 409 ModuleAlreadyExistsOnDevice, and changes nothing',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, created) => {
        assert.equal(expectHubError(await put(owner, moduleId), 409), 'ModuleAlreadyExistsOnDevice');
        assert.equal(moduleOf(await read(owner, moduleId)).etag, created.etag);
      });
    },
  ],
  'HUB-008': [
    'DELETE with If-Match * is 204 without a body, and the module is gone',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const moduleId = newModuleId();
      moduleOf(await put(owner, moduleId));
      const { status, body } = await remove(owner, moduleId);
      assert.deepEqual([status, body], [204, '']);
      expectHubError(await read(owner, moduleId), 404);
      assert.ok(!(await listed(owner)).includes(moduleId), 'not listed');
    },
  ],
  'HUB-009': [
    'DELETE of a module that is not there is 404 ModuleNotFound',
    'azure-docs',
    async (context) => {
      assert.equal(expectHubError(await remove(await ownerOf(context), newModuleId()), 404), 'ModuleNotFound');
    },
  ],
  'HUB-010': [
    'a module that is made anew has a later generationId, and other keys',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const moduleId = newModuleId();
      const before = moduleOf(await put(owner, moduleId));
      await remove(owner, moduleId);
      await withModule(
        owner,
        async (_id, after) => {
          assert.ok(BigInt(after.generationId) > BigInt(before.generationId), 'later');
          assert.notDeepEqual(after.authentication.symmetricKey, before.authentication.symmetricKey);
        },
        moduleId,
      );
    },
  ],
  'HUB-011': [
    'an update with If-Match * sets the keys, keeps generationId and gives another etag: 200',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, created) => {
        const [primaryKey, secondaryKey] = [newKey(), newKey()];
        const updated = moduleOf(await put(owner, moduleId, { ifMatch: '*', more: sasKeys(primaryKey, secondaryKey) }));
        assert.deepEqual(updated.authentication.symmetricKey, { primaryKey, secondaryKey });
        assert.equal(updated.generationId, created.generationId);
        assert.notEqual(updated.etag, created.etag);
      });
    },
  ],
  'HUB-012': [
    'managedBy is kept as it was sent: an update without it keeps it, one with it changes it',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const moduleId = newModuleId();
      try {
        assert.equal(moduleOf(await put(owner, moduleId, { more: { managedBy: 'iotEdge' } }))['managedBy'], 'iotEdge');
        assert.equal(moduleOf(await read(owner, moduleId))['managedBy'], 'iotEdge');
        for (const [more, kept] of [
          [{}, 'iotEdge'],
          [{ managedBy: 'test' }, 'test'],
        ] as const) {
          assert.equal(moduleOf(await put(owner, moduleId, { ifMatch: '*', more }))['managedBy'], kept);
          assert.equal(moduleOf(await read(owner, moduleId))['managedBy'], kept);
        }
      } finally {
        await remove(owner, moduleId);
      }
    },
  ],
  'HUB-013': [
    'members of a body that the hub does not know are passed over',
    'inferred',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId) => {
        moduleOf(await put(owner, moduleId, { ifMatch: '*', more: { later: { a: 1 } } }));
      });
    },
  ],
  'HUB-014': [
    'an edge device has the modules $edgeAgent and $edgeHub from the beginning',
    'azure-docs',
    async (context) => {
      const ids = await listed(await ownerOf(context, 'edge'));
      for (const id of ['$edgeAgent', '$edgeHub']) assert.ok(ids.includes(id), id);
    },
  ],
  'HUB-015': [
    'a device has no more than fifty modules: one more is refused with 4xx and is not made',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context, 'crowded');
      const made = (await listed(owner)).map(String);
      while (made.length < 50) {
        const moduleId = newModuleId();
        moduleOf(await put(owner, moduleId));
        made.push(moduleId);
      }
      expectHubError(await put(owner, 'one-more'), 400, 403, 409, 413, 429);
      assert.ok(!(await listed(owner)).includes('one-more'), 'not listed');
      for (const moduleId of made) await remove(owner, moduleId);
    },
  ],
  'HUB-016': [
    'a list holds the modules of its device alone',
    'azure-docs',
    async (context) => {
      const other = await ownerOf(context, 'other');
      await withModule(await ownerOf(context), async (moduleId) => {
        assert.ok(!(await listed(other)).includes(moduleId), 'a module of another device is listed');
      });
    },
  ],
});
