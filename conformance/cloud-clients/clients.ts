import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import vectors from '../../fixtures/vectors/sas-tokens.json' with { type: 'json' };
import { expectHubError, type ServiceAnswer, send } from '../azure/index.ts';
import { startIdentityd } from '../cloud/index.ts';
import {
  type Context,
  exchange,
  expectError,
  expectStatus,
  group,
  type WireResult,
  type World,
} from '../runner/index.ts';
import { byDps, byHand, deviceWith, firstTo, HUB_KEYS, headerOf, pathIn, requestsTo, VECTOR_KEY } from './device.ts';

const MODULES = '/identities/modules';

function ask(world: World, method: string, path: string, body?: unknown): Promise<WireResult> {
  const target = `${path}${path.includes('?') ? '&' : '?'}api-version=2022-08-01`;
  return exchange(world.socket('identityd'), 0, { method, target, body });
}

/** The token of cloud.md 2 for a resource in lower case, made without anybody else's code. */
function vector(resource: string, expiry: string, policy = ''): string {
  const signature = createHmac('sha256', VECTOR_KEY).update(`${resource}\n${expiry}`).digest('base64');
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}${policy}`;
}

/** Expects a token that is, for the moment of its expiry, the vector byte for byte, and lives for half a minute to a quarter of an hour. */
function expectVector(token: string | undefined, resource: string, policy = ''): void {
  const expiry = /&se=(\d+)/.exec(token ?? '')?.[1] ?? 'none';
  assert.equal(token, vector(resource, expiry, policy));
  const left = Number(expiry) - Date.now() / 1000;
  assert.ok(left > 0 && left <= 900, `it lives for ${left} s`);
}

/** A device that its hub knows, not started yet. */
async function hubDevice(context: Context) {
  const provisioning = byHand('hub1.iot.test', 'Dev-01');
  const made = await deviceWith(context, { provisioning, key: VECTOR_KEY });
  await made.cloud.putDevice('Dev-01', { authentication: HUB_KEYS });
  return made;
}

/** The key handle of an identity that is answered 200. */
async function handleOf(
  world: World,
  ...request: readonly [method: string, path: string, body?: unknown]
): Promise<string> {
  const { spec } = expectStatus(await ask(world, ...request), 200) as { spec?: { auth?: { keyHandle?: unknown } } };
  assert.equal(typeof spec?.auth?.keyHandle, 'string');
  return String(spec?.auth?.keyHandle);
}

/** The base64 of HMAC-SHA256 that keyd makes. */
async function signed(world: World, keyHandle: string, message: string): Promise<string> {
  const parameters = { message: Buffer.from(message).toString('base64') };
  const body = { keyHandle, algorithm: 'HMAC-SHA256', parameters };
  const request = { method: 'POST', target: '/sign?api-version=2021-05-01', body };
  return String(expectStatus(await exchange(world.socket('keyd'), 0, request), 200)['signature']);
}

/** Starts identityd. One that ends when the cloud refuses it has shown its token all the same. */
async function startOrEnd(world: World): Promise<void> {
  await startIdentityd(world).catch(() => undefined);
}

const DPS_RESOURCE = '0ne00abcdef/registrations/dev-01';
const HUB_RESOURCE = 'myhub.azure-devices.net/devices/dev-01';
const POLICY = '&skn=registration';

export const clients = group('identityd as a client of DPS and hub', {
  'CL-001': [
    'the tokens for DPS and hub are those of the vectors',
    'spec',
    async (context) => {
      const known = [vector(DPS_RESOURCE, '1767225600', POLICY), vector(HUB_RESOURCE, '1767225600')];
      assert.deepEqual(
        known,
        vectors.made.map(({ token }) => token),
      );
      const wish = { provisioning: byDps('0ne00ABCDEF', 'Dev-01'), key: VECTOR_KEY };
      const { world, cloud } = await deviceWith(context, wish);
      await startOrEnd(world);
      const register = await firstTo({ cloud }, 'dps');
      assert.equal(pathIn(register), '/0ne00ABCDEF/registrations/Dev-01/register');
      expectVector(headerOf(register, 'authorization'), DPS_RESOURCE, POLICY);
    },
  ],
  'CL-001/hub': [
    'the token for a hub is that of its vector, also behind a parent',
    'spec',
    async (context) => {
      const provisioning = byHand('MyHub.azure-devices.net', 'Dev-01', 'parent.iot.test');
      const { world, cloud } = await deviceWith(context, { provisioning, key: VECTOR_KEY });
      await startOrEnd(world);
      const list = await firstTo({ cloud }, 'gateway');
      assert.equal(pathIn(list), '/devices/Dev-01/modules');
      expectVector(headerOf(list, 'authorization'), HUB_RESOURCE);
    },
  ],
  'CL-060': [
    'a module proves itself to the hub with its handle in keyd, and no longer with the key from before it was made anew',
    'spec',
    async (context) => {
      const { world, cloud } = await hubDevice(context);
      await startIdentityd(world);
      const post = async (keyHandle: string): Promise<ServiceAnswer> => {
        const path = '/devices/Dev-01/modules/m';
        const resource = `${cloud.facts.hub.hostName}${path}`;
        const expiry = String(Math.floor(Date.now() / 1000) + 600);
        const signature = encodeURIComponent(await signed(world, keyHandle, `${resource}\n${expiry}`));
        const token = `SharedAccessSignature sr=${resource}&sig=${signature}&se=${expiry}`;
        const { hostName, port } = cloud.facts.hub;
        const endpoint = { hostName, address: `127.0.0.1:${port}`, rootPem: cloud.facts.rootPem };
        const target = `${path}/messages/events?api-version=2020-03-13`;
        return send(endpoint, { method: 'POST', target, token, body: {} });
      };
      const before = await handleOf(world, 'POST', MODULES, { type: 'aziot', moduleId: 'm' });
      assert.equal((await post(before)).status, 204);
      expectStatus(await ask(world, 'DELETE', `${MODULES}/m?type=aziot`), 204);
      const after = await handleOf(world, 'POST', MODULES, { type: 'aziot', moduleId: 'm' });
      expectHubError(await post(before), 401);
      assert.equal((await post(after)).status, 204);
    },
  ],
  'CL-062': [
    'what a service says in its error is what the caller is told',
    'spec',
    async (context) => {
      const { world, cloud } = await hubDevice(context);
      await cloud.putModule('Dev-01', 'there');
      await startIdentityd(world);
      const again = await ask(world, 'POST', MODULES, { type: 'aziot', moduleId: 'there' });
      const none = await ask(world, 'PUT', `${MODULES}/none?type=aziot`, { type: 'aziot', moduleId: 'none' });
      await cloud.putDevice('Dev-01', { authentication: HUB_KEYS, status: 'disabled' });
      const disabled = await ask(world, 'PUT', `${MODULES}/there?type=aziot`, { type: 'aziot', moduleId: 'there' });
      const statuses = (await requestsTo({ cloud }, 'hub', 3)).map(({ status }) => status);
      for (const status of [409, 404, 403]) assert.ok(statuses.includes(status), `the hub answered ${statuses}`);
      expectError(again, 404, 'ModuleAlreadyExistsOnDevice');
      expectError(none, 404, 'ModuleNotFound');
      expectError(disabled, 404, 'DeviceDisabled');
    },
  ],
});
