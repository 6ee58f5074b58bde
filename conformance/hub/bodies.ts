import assert from 'node:assert/strict';
import { expectHubError } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import {
  call,
  moduleOf,
  modulePath,
  newKey,
  newModuleId,
  ownerOf,
  put,
  read,
  remove,
  sasKeys,
  withModule,
} from './device.ts';

export const bodies = group('hub bodies and ids', {
  'HUB-030': [
    'a body whose moduleId or deviceId is not that of the path is 400 ArgumentInvalid',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      for (const more of [{ moduleId: 'another' }, { deviceId: 'another' }])
        assert.equal(expectHubError(await put(owner, newModuleId(), { more }), 400), 'ArgumentInvalid');
    },
  ],
  'HUB-031': [
    'a body that is no JSON or no object is 400, and nothing is made',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const moduleId = newModuleId();
      for (const body of ['{"moduleId":', '[]', ''])
        expectHubError(await call(owner, 'PUT', modulePath(owner.deviceId, moduleId), { body }), 400);
      expectHubError(await read(owner, moduleId), 404);
    },
  ],
  'HUB-032': [
    'a symmetric key that is no base64, or not of 16 to 64 bytes, is 400',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, created) => {
        for (const wrong of ['???', newKey(15), newKey(65)])
          expectHubError(await put(owner, moduleId, { ifMatch: '*', more: sasKeys(wrong, newKey()) }), 400);
        assert.equal(moduleOf(await read(owner, moduleId)).etag, created.etag);
      });
    },
  ],
  'HUB-033': [
    'symmetric keys of 16 and of 64 bytes are taken',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId) => {
        moduleOf(await put(owner, moduleId, { ifMatch: '*', more: sasKeys(newKey(16), newKey(64)) }));
      });
    },
  ],
  'HUB-034': [
    'a module id may have every character of the alphabet, and 128 of them',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      for (const id of ["conformance-:.+%_#*?!(),=@$'", 'c'.repeat(128)])
        await withModule(owner, async (moduleId) => void moduleOf(await read(owner, moduleId)), id);
    },
  ],
  'HUB-035': [
    'a module id with another character, or of 129, is 400',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      for (const id of ['a b', 'ä', 'a"b', 'c'.repeat(129)]) expectHubError(await put(owner, id), 400);
    },
  ],
  'HUB-036': [
    'ids of modules differ by their case',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId) => {
        expectHubError(await read(owner, moduleId.toUpperCase()), 404);
      });
    },
  ],
  'HUB-037': [
    'a module without symmetric keys may be asked for: authentication type none',
    'inferred',
    async (context) => {
      const owner = await ownerOf(context);
      const moduleId = newModuleId();
      try {
        const created = moduleOf(await put(owner, moduleId, { more: { authentication: { type: 'none' } } }));
        assert.equal(created.authentication.type, 'none');
      } finally {
        await remove(owner, moduleId);
      }
    },
  ],
});
