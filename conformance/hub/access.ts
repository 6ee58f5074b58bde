import assert from 'node:assert/strict';
import { expectHubError, isText, needed, sasToken, send, stranger, withOtherSignature } from '../azure/index.ts';
import { type Context, group } from '../runner/index.ts';
import {
  call,
  hubOf,
  list,
  type ModuleOwner,
  modulePath,
  modulesPath,
  newKey,
  ownerOf,
  put,
  sasKeys,
  tokenOf,
  VERSION,
  withModule,
} from './device.ts';

const UNAUTHORIZED = 'IotHubUnauthorizedAccess';

async function refused(owner: ModuleOwner, token: string | undefined, deviceId?: string): Promise<void> {
  assert.equal(expectHubError(await list(owner, deviceId, { token }), 401), UNAUTHORIZED);
}

async function allowed(owner: ModuleOwner, token: string): Promise<void> {
  const { status, body } = await list(owner, owner.deviceId, { token });
  assert.equal(status, 200, body);
}

/** A token for a resource of the hub, signed with the key of the owner. */
const forResource = ({ hub, primaryKey }: ModuleOwner, path: string, hostName = hub.hostName): string =>
  sasToken({ resource: `${hostName}${path}`, key: primaryKey });

export const access = group('hub access', {
  'HUB-040': [
    'a signature with one character changed is refused with 401 IotHubUnauthorizedAccess',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await refused(owner, withOtherSignature(owner.token));
    },
  ],
  'HUB-041': [
    'a token that has expired is refused with 401',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await refused(owner, tokenOf(owner.hub, owner, { lifetimeSeconds: -600 }));
    },
  ],
  'HUB-042': [
    'who shows nothing, or what is no token, is refused with 401',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      for (const token of [undefined, 'Basic dXNlcjpwYXNzd29yZA==', owner.token.replace(/&se=\d+/, '')])
        await refused(owner, token);
    },
  ],
  'HUB-043': [
    'a device does not reach the modules of another with its own token',
    'spec',
    async (context) => {
      const owner = await ownerOf(context);
      const other = await ownerOf(context, 'other');
      await refused(other, other.token, owner.deviceId);
    },
  ],
  'HUB-044': [
    'a scope ends where a segment ends: a token for /devices/Dev-1 does not count for /devices/Dev-10',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const other = await ownerOf(context, 'other');
      const resource = `${owner.hub.hostName}${modulesPath(other.deviceId).replace('/modules', '').slice(0, -1)}`;
      await refused(other, sasToken({ resource, key: other.primaryKey }));
    },
  ],
  'HUB-045': [
    'a token for another hub is refused with 401',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await refused(owner, forResource(owner, `/devices/${owner.deviceId}`, 'elsewhere.azure-devices.net'));
    },
  ],
  'HUB-046': [
    'a token at the level of a module does not manage modules',
    'spec',
    async (context) => {
      const owner = await ownerOf(context);
      await refused(owner, forResource(owner, modulePath(owner.deviceId, 'any')));
    },
  ],
  'HUB-047': [
    'a token that names a policy is not that of a device: 401',
    'spec',
    async (context) => {
      const owner = await ownerOf(context);
      await refused(owner, tokenOf(owner.hub, owner, { policy: 'iothubowner' }));
    },
  ],
  'HUB-048': [
    'a signature over the resource encoded otherwise than it stands is refused with 401',
    'sdk',
    async (context) => {
      const owner = await ownerOf(context);
      const signed = `${owner.hub.hostName}/devices/${owner.deviceId}`.toLowerCase().replaceAll('/', '%2F');
      await refused(owner, tokenOf(owner.hub, owner, { signed }));
    },
  ],
  'HUB-049': [
    'a token counts whether its resource is unencoded, or encoded in lower or upper case, when signed as it stands',
    'sdk',
    async (context) => {
      const owner = await ownerOf(context);
      const plain = `${owner.hub.hostName}/devices/${owner.deviceId}`;
      for (const resource of [plain, plain.replaceAll('/', '%2f'), plain.replaceAll('/', '%2F')])
        await allowed(owner, sasToken({ resource, key: owner.primaryKey }));
    },
  ],
  'HUB-050': [
    'a resource in lower case counts for a device whose name has capitals, as the identity service sends it',
    'reference-run',
    async (context) => {
      const owner = await ownerOf(context);
      await allowed(owner, owner.token);
    },
  ],
  'HUB-051': [
    'the secondary key is as good as the primary',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const primaryKey = needed(context, owner.secondaryKey, 'device.secondaryKey');
      await allowed(owner, tokenOf(owner.hub, { ...owner, primaryKey }));
    },
  ],
  'HUB-052': [
    'a device that is not there is not told so to who proves nothing: 401, or 404',
    'spec',
    async (context) => {
      const owner = await ownerOf(context);
      const deviceId = 'conformance-nobody';
      const token = tokenOf(owner.hub, { ...owner, deviceId });
      expectHubError(await list(owner, deviceId, { token }), 401, 404);
    },
  ],
  'HUB-053': [
    'a device that is disabled is refused with 403, or 401',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context, 'disabled');
      expectHubError(await list(owner), 403, 401);
    },
  ],
  'HUB-054': [
    'a module proves itself with the keys of its last update, and no longer with those before',
    'spec',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, created) => {
        const path = modulePath(owner.deviceId, moduleId);
        const post = (key: string) =>
          call(owner, 'POST', `${path}/messages/events`, {
            token: sasToken({ resource: `${owner.hub.hostName}${path}`, key }),
            body: { conformance: true },
          });
        const before = String(created.authentication.symmetricKey?.['primaryKey']);
        assert.equal((await post(before)).status, 204);
        const key = newKey();
        await put(owner, moduleId, { ifMatch: '*', more: sasKeys(key, newKey()) });
        assert.equal((await post(key)).status, 204);
        expectHubError(await post(before), 401);
      });
    },
  ],
});

async function certified(context: Context) {
  const hub = await hubOf(context);
  const { deviceId, certPem, keyPem } = needed(context, hub.x509, 'x509');
  const owner: ModuleOwner = { hub, deviceId, primaryKey: '', token: '' };
  return { owner, deviceId, client: { certPem, keyPem } };
}

export const certificates = group('hub certificates', {
  'HUB-060': [
    'a device that is known by its certificate manages its modules without Authorization',
    'azure-docs',
    async (context) => {
      const { owner, deviceId, client } = await certified(context);
      const { status, body } = await list(owner, deviceId, { token: undefined, client });
      assert.equal(status, 200, body);
    },
  ],
  'HUB-061': [
    'such a device without its certificate, or with one of a stranger that has its name, is refused with 401',
    'azure-docs',
    async (context) => {
      const { owner, deviceId } = await certified(context);
      for (const shown of [{}, { client: await stranger(deviceId) }])
        expectHubError(await list(owner, deviceId, { token: undefined, ...shown }), 401);
    },
  ],
  'HUB-062': [
    'a certificate of one device does not reach the modules of another',
    'spec',
    async (context) => {
      const { owner, client } = await certified(context);
      const { deviceId } = await ownerOf(context);
      expectHubError(await list(owner, deviceId, { token: undefined, client }), 401);
    },
  ],
});

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
      const ask = async () => (await list(owner, owner.deviceId, { token: undefined })).body;
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
