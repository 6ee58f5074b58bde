import assert from 'node:assert/strict';
import { expectAnswer, expectHubError, isText, needed, sasToken } from '../azure/index.ts';
import { type Context, group } from '../runner/index.ts';
import { call, list, moduleOf, modulePath, ownerOf, withModule } from './device.ts';

async function behindGateway(context: Context) {
  const owner = await ownerOf(context);
  return { owner, at: needed(context, owner.hub.gateway, 'gateway') };
}

export const gateway = group('hub gateway', {
  'HUB-080': [
    'a parent answers under its own name for the registry of the hub; tokens still name the hub',
    'spec',
    async (context) => {
      const { owner, at } = await behindGateway(context);
      await withModule(owner, async (moduleId, { generationId }) => {
        const found = moduleOf(await call(owner, 'GET', modulePath(owner.deviceId, moduleId), { at }));
        assert.equal(found.generationId, generationId);
      });
    },
  ],
  'HUB-081': [
    'a token that names the parent in place of the hub is refused with 401',
    'spec',
    async (context) => {
      const { owner, at } = await behindGateway(context);
      const resource = `${at.hostName}/devices/${owner.deviceId}`;
      const token = sasToken({ resource, key: owner.primaryKey });
      expectAnswer(await list(owner, owner.deviceId, { token, at }), 401);
    },
  ],
  'HUB-082': [
    'an Edge parent words its errors as errorMessage, a hub as Message',
    'spec',
    async (context) => {
      const { owner, at } = await behindGateway(context);
      const path = modulePath(owner.deviceId, 'none');
      const { errorMessage, Message } = expectAnswer(await call(owner, 'GET', path, { at }), 404);
      assert.ok(isText(errorMessage), `errorMessage of the parent: ${errorMessage}`);
      assert.equal(Message, undefined, 'Message of the parent');
      expectHubError(await call(owner, 'GET', path), 404);
    },
  ],
});
