import assert from 'node:assert/strict';
import { expectHubError } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import { call, moduleOf, modulePath, newModuleId, ownerOf, put, read, remove, withModule } from './device.ts';

export const preconditions = group('hub preconditions', {
  'HUB-020': [
    'If-Match counts bare and in quotes, the star and the etag',
    'sdk',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId) => {
        for (const form of ['*', '"*"']) moduleOf(await put(owner, moduleId, { ifMatch: form }));
        for (const quote of ['', '"']) {
          const { etag } = moduleOf(await read(owner, moduleId));
          moduleOf(await put(owner, moduleId, { ifMatch: `${quote}${etag}${quote}` }));
        }
      });
    },
  ],
  'HUB-021': [
    "an update with an etag that is no longer the module's is 412 PreconditionFailed, and changes nothing",
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, created) => {
        const { etag } = moduleOf(await put(owner, moduleId, { ifMatch: '*' }));
        const answer = await put(owner, moduleId, { ifMatch: `"${created.etag}"` });
        assert.equal(expectHubError(answer, 412), 'PreconditionFailed');
        assert.equal(moduleOf(await read(owner, moduleId)).etag, etag);
      });
    },
  ],
  'HUB-022': [
    "DELETE with an etag that is no longer the module's is 412, and the module stays",
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, created) => {
        moduleOf(await put(owner, moduleId, { ifMatch: '*' }));
        expectHubError(await remove(owner, moduleId, `"${created.etag}"`), 412);
        moduleOf(await read(owner, moduleId));
      });
    },
  ],
  'HUB-023': [
    'DELETE with the etag of the module removes it',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const moduleId = newModuleId();
      const { etag } = moduleOf(await put(owner, moduleId));
      assert.equal((await remove(owner, moduleId, `"${etag}"`)).status, 204);
    },
  ],
  'HUB-024': [
    'an update with If-Match * of a module that is not there is 404 ModuleNotFound, and makes none',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const moduleId = newModuleId();
      assert.equal(expectHubError(await put(owner, moduleId, { ifMatch: '*' }), 404), 'ModuleNotFound');
      expectHubError(await read(owner, moduleId), 404);
    },
  ],
  'HUB-025': [
    'DELETE without If-Match is refused, and the module stays',
    'spec',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId) => {
        const answer = await call(owner, 'DELETE', modulePath(owner.deviceId, moduleId));
        expectHubError(answer, 400, 412, 428);
        moduleOf(await read(owner, moduleId));
      });
    },
  ],
});
