import assert from 'node:assert/strict';
import { expectHubError, forged, needed, stranger } from '../azure/index.ts';
import { type Context, group } from '../runner/index.ts';
import { hubOf, list, type ModuleOwner, newKey, ownerOf, type Shown, tokenOf } from './device.ts';

async function knownByThumbprint(context: Context) {
  const hub = await hubOf(context);
  const { deviceId, reissued, ...client } = needed(context, hub.thumbprint, 'thumbprint');
  const owner: ModuleOwner = { hub, deviceId, primaryKey: '', token: '' };
  const shows = (shown: Pick<Shown, 'client'>) => list(owner, deviceId, { token: undefined, ...shown });
  return { deviceId, client, reissued, shows };
}

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
  'HUB-063': [
    'a certificate of a known authority with another common name is refused with 401',
    'azure-docs',
    async (context) => {
      const { owner, deviceId } = await certified(context);
      const client = needed(context, owner.hub.x509OtherName, 'x509OtherName');
      expectHubError(await list(owner, deviceId, { token: undefined, client }), 401);
    },
  ],
  'HUB-064': [
    'the certificate whose thumbprint is known counts, whoever issued it',
    'azure-docs',
    async (context) => {
      const { client, shows } = await knownByThumbprint(context);
      const { status, body } = await shows({ client });
      assert.equal(status, 200, body);
    },
  ],
  'HUB-065': [
    'where a thumbprint is known, another certificate of the same authority and name is refused, and so is one of a stranger',
    'azure-docs',
    async (context) => {
      const { deviceId, reissued, shows } = await knownByThumbprint(context);
      expectHubError(await shows({ client: await stranger(deviceId) }), 401);
      expectHubError(await shows({ client: needed(context, reissued, 'thumbprint.reissued') }), 401);
    },
  ],
  'HUB-066': [
    'a device with a certificate is refused with a token',
    'azure-docs',
    async (context) => {
      const { owner, deviceId } = await certified(context);
      const token = tokenOf(owner.hub, { deviceId, primaryKey: newKey() });
      expectHubError(await list(owner, deviceId, { token }), 401);
    },
  ],
  'HUB-067': [
    'a certificate whose issuer has the name of the authority and another key is refused with 401',
    'azure-docs',
    async (context) => {
      const { owner, deviceId, client } = await certified(context);
      const forgery = await forged(deviceId, client);
      expectHubError(await list(owner, deviceId, { token: undefined, client: forgery }), 401);
    },
  ],
});
