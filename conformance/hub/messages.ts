import assert from 'node:assert/strict';
import { expectHubError, type ServiceAnswer, sasToken, withOtherSignature } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import { call, type ModuleOwner, modulePath, ownerOf, type Shown, tokenOf, withModule } from './device.ts';

const BATCH = { 'content-type': 'application/vnd.microsoft.iothub.json' };
const LIMIT_BYTES = 256 * 1024;
/** Properties and framing count too, so a test stays this far from the limit. */
const MARGIN_BYTES = 1024;

const eventsOf = (path: string) => `${path}/messages/events`;

/** Sends a message as the device. */
const post = (owner: ModuleOwner, shown: Shown): Promise<ServiceAnswer> =>
  call(owner, 'POST', eventsOf(`/devices/${encodeURIComponent(owner.deviceId)}`), shown);

/** A message that was taken: 204 and nothing else. */
function expectTaken({ status, body }: ServiceAnswer): void {
  assert.deepEqual({ status, body }, { status: 204, body: '' });
}

/** What a hub does with messages that come over HTTPS (hub-dps-protocols.md C.3). */
export const messages = group('hub messages', {
  'HUB-090': [
    'a message of a device, with properties, is taken: 204 without a body',
    'azure-docs',
    async (context) => {
      const headers = { 'iothub-app-colour': 'blue', 'iothub-messageid': 'conformance-1' };
      expectTaken(await post(await ownerOf(context), { body: { conformance: true }, headers }));
    },
  ],
  'HUB-091': [
    'a message with a wrong signature, an expired token or none is refused with 401',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      const expired = tokenOf(owner.hub, owner, { lifetimeSeconds: -600 });
      for (const token of [withOtherSignature(owner.token), expired, undefined])
        expectHubError(await post(owner, { body: {}, token }), 401);
    },
  ],
  'HUB-092': [
    'a module sends messages with either key that the hub made for it',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId, { authentication }) => {
        const path = modulePath(owner.deviceId, moduleId);
        for (const name of ['primaryKey', 'secondaryKey']) {
          const key = String(authentication.symmetricKey?.[name]);
          const token = sasToken({ resource: `${owner.hub.hostName}${path}`, key });
          expectTaken(await call(owner, 'POST', eventsOf(path), { token, body: {} }));
        }
      });
    },
  ],
  'HUB-093': [
    'a device does not send messages as one of its modules',
    'inferred',
    async (context) => {
      const owner = await ownerOf(context);
      await withModule(owner, async (moduleId) => {
        const path = eventsOf(modulePath(owner.deviceId, moduleId));
        expectHubError(await call(owner, 'POST', path, { body: {} }), 401, 403);
      });
    },
  ],
  'HUB-094': [
    'a message of nearly 256 KiB is taken, one of more is 413',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      expectTaken(await post(owner, { body: 'x'.repeat(LIMIT_BYTES - MARGIN_BYTES) }));
      expectHubError(await post(owner, { body: 'x'.repeat(LIMIT_BYTES + MARGIN_BYTES) }), 413);
    },
  ],
  'HUB-095': [
    'a batch of messages is taken',
    'azure-docs',
    async (context) => {
      const base64 = (text: string) => Buffer.from(text).toString('base64');
      const body = [{ body: base64('one'), properties: { 'iothub-app-a': '1' } }, { body: base64('two') }];
      expectTaken(await post(await ownerOf(context), { body, headers: BATCH }));
    },
  ],
  'HUB-096': [
    'a batch that is no array of messages is 400',
    'azure-docs',
    async (context) => {
      const owner = await ownerOf(context);
      for (const body of ['[{', '{}', '[{"properties":{}}]'])
        expectHubError(await post(owner, { body, headers: BATCH }), 400);
    },
  ],
});
