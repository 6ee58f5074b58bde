import assert from 'node:assert/strict';
import { expectHubError, needed, sasToken, withOtherSignature } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import {
  call,
  list,
  type ModuleOwner,
  modulePath,
  modulesPath,
  newKey,
  ownerOf,
  put,
  sasKeys,
  tokenOf,
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
  'HUB-055': [
    'who proves nothing is not told that a device is disabled',
    'inferred',
    async (context) => {
      const owner = await ownerOf(context, 'disabled');
      await refused(owner, withOtherSignature(owner.token));
    },
  ],
  'HUB-056': [
    'a module does not manage the modules of its device with its own key',
    'spec',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, { authentication }) => {
        const key = String(authentication.symmetricKey?.['primaryKey']);
        const resource = `${owner.hub.hostName}${modulePath(owner.deviceId, moduleId)}`;
        await refused(owner, sasToken({ resource, key }));
      });
    },
  ],
});
