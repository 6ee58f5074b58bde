import assert from 'node:assert/strict';
import { expectHubError, isText, send } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import { call, list, modulesPath, ownerOf, VERSION } from './device.ts';

export const errors = group('hub errors', {
  'HUB-070': [
    'an error says ErrorCode:Name;text as Message, a tracking id as ExceptionMessage, and the name in iothub-errorcode',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const answer = await list(owner, owner.deviceId, { token: undefined });
      const name = expectHubError(answer, 401);
      assert.equal(answer.headers['iothub-errorcode'], name);
      const { ExceptionMessage } = JSON.parse(answer.body) as { ExceptionMessage?: unknown };
      assert.ok(isText(ExceptionMessage) && ExceptionMessage.startsWith('Tracking ID:'), answer.body);
    },
  ],
  'HUB-071': [
    'each answer has a tracking id of its own',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const ask = async () => {
        const { body } = await list(owner, owner.deviceId, { token: undefined });
        return /Tracking ID:([0-9a-f-]{32,36})/i.exec(body)?.[1] ?? assert.fail(`no tracking id in ${body}`);
      };
      assert.notEqual(await ask(), await ask());
    },
  ],
  'HUB-072': [
    'an api-version that is missing or unknown is 400',
    'azure-docs',
    async (context) => {
      const { hub, deviceId, token } = await ownerOf(context);
      for (const query of ['', '?api-version=', '?api-version=1999-01-01'])
        expectHubError(await send(hub, { method: 'GET', target: `${modulesPath(deviceId)}${query}`, token }), 400);
    },
  ],
  'HUB-073': [
    'a path of nothing is 404',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      expectHubError(await call(owner, 'GET', `/devices/${owner.deviceId}/nothing`), 404);
    },
  ],
  'HUB-074': [
    'a method that a path does not have is 405, or 404',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      expectHubError(await call(owner, 'POST', modulesPath(owner.deviceId), { body: {} }), 405, 404);
    },
  ],
  'HUB-075': [
    'the target of a request may have the absolute form (RFC 9112 3.2.2)',
    'spec',
    async (context) => {
      const { hub, deviceId, token } = await ownerOf(context);
      const target = `https://${hub.hostName}${modulesPath(deviceId)}?${VERSION}`;
      assert.equal((await send(hub, { method: 'GET', target, token })).status, 200);
    },
  ],
  'HUB-076': [
    'a caller that speaks TLS 1.2 only is served, as Python does',
    'sdk',
    async (context) => {
      const { hub, deviceId, token } = await ownerOf(context);
      const target = `${modulesPath(deviceId)}?${VERSION}`;
      assert.equal((await send(hub, { method: 'GET', target, token, maxVersion: 'TLSv1.2' })).status, 200);
    },
  ],
});
