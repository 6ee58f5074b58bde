import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { attachCloud, type CloudLink, cloudOf, type SeenRequest, startIdentityd } from '../cloud/index.ts';
import { type Context, exchange, expectStatus, type WireResult, type World } from '../runner/index.ts';
import { ask, HEAD, principal } from './world.ts';

export const DEVICE = 'Dev-01';
const REGISTRATION = 'Reg-01';
const DEVICE_KEY = Buffer.alloc(32, 4);
const KEYD = `[aziot_keys]
homedir_path = "@ROOT@/keyd/home"
[preloaded_keys]
device-id = "file://@ROOT@/pre/device-id"
`;

/** How a device gets to its hub: named in the configuration, or assigned by DPS. */
export type Way = 'manual' | 'dps';

const PROVISIONING: Readonly<Record<Way, string>> = {
  manual: `[provisioning]
source = "manual"
iothub_hostname = "hub1.iot.test"
device_id = "${DEVICE}"
[provisioning.authentication]
method = "sas"
device_id_pk = "device-id"
`,
  dps: `[provisioning]
source = "dps"
global_endpoint = "https://dps.iot.test/"
scope_id = "0ne00Test01"
[provisioning.attestation]
method = "symmetric_key"
registration_id = "${REGISTRATION}"
symmetric_key = "device-id"
`,
};

/** A user of the machine that may do all: the first principal without rights of its own. */
const DAEMON = 4001;

export interface DeviceWish {
  readonly way?: Way;
  /** Names of principals that are modules; their uids go up from 4100. */
  readonly modules?: readonly string[];
  /** Further settings, before the first table. */
  readonly more?: string;
  /** Further tables. */
  readonly tables?: string;
}

/** Writes the configuration of identityd. */
export function configureDevice(world: World, { way = 'manual', modules = [], more = '', tables = '' }: DeviceWish) {
  const principals = modules.map((name, at) => principal(4100 + at, name, ['module'])).join('');
  const main = `cloud_retries = 0\n${more}${HEAD}${PROVISIONING[way]}${principal(DAEMON, 'daemon')}${principals}${tables}`;
  return world.configure('identityd', { main });
}

/** A device with its key in keyd, enrolled and in its hub, that was not started yet. */
export async function cloudDevice(context: Context, wish: DeviceWish = {}): Promise<{ world: World } & CloudLink> {
  const world = await context.fresh();
  const link = await attachCloud(world);
  await world.file('pre/device-id', DEVICE_KEY, 0o600);
  const key = DEVICE_KEY.toString('base64');
  const keys = { primaryKey: key, secondaryKey: key };
  await link.cloud.enrol(REGISTRATION, { deviceId: DEVICE, attestation: { type: 'symmetricKey', ...keys } });
  await link.cloud.putDevice(DEVICE, { authentication: { type: 'sas', ...keys } });
  await world.configure('keyd', { main: KEYD });
  await world.configure('certd', { main: 'homedir_path = "@ROOT@/certd/home"\n' });
  await configureDevice(world, wish);
  await Promise.all([world.start('keyd'), world.start('certd')]);
  return { world, ...link };
}

/** Waits until there is a device, and what a start does with its modules is done: the list of them is held until then. */
export async function settled(world: World): Promise<void> {
  await deviceIdentity(world);
  await ask(world, 0, 'GET', '/identities/modules?type=aziot');
}

/** The same, started, and its device there. */
export async function startedDevice(context: Context, wish?: DeviceWish): Promise<{ world: World } & CloudLink> {
  const made = await cloudDevice(context, wish);
  await startIdentityd(made.world);
  await settled(made.world);
  return made;
}

/** Stops identityd, does `between`, starts it again, and waits for its device. */
export async function startAgain(world: World, between: () => Promise<unknown> = async () => {}): Promise<void> {
  await world.stop('identityd');
  await between();
  await startIdentityd(world);
  await settled(world);
}

/** The `spec` of an identity that was answered 200. */
export function specOf(result: WireResult): Record<string, unknown> {
  const { spec } = expectStatus(result, 200);
  assert.ok(typeof spec === 'object' && spec !== null, 'spec');
  return { ...spec };
}

/** E2; it is held until there is a device. */
export async function deviceIdentity(world: World): Promise<Record<string, unknown>> {
  return specOf(await ask(world, 0, 'POST', '/identities/device', { type: 'aziot' }));
}

export const createModule = (world: World, moduleId: string): Promise<WireResult> =>
  ask(world, 0, 'POST', '/identities/modules', { type: 'aziot', moduleId });
export const getModule = (world: World, moduleId: string): Promise<WireResult> =>
  ask(world, 0, 'GET', `/identities/modules/${moduleId}?type=aziot`);
export const updateModule = (world: World, moduleId: string): Promise<WireResult> =>
  ask(world, 0, 'PUT', `/identities/modules/${moduleId}?type=aziot`, { type: 'aziot', moduleId });
export const removeModule = (world: World, moduleId: string, type = 'aziot'): Promise<WireResult> =>
  ask(world, 0, 'DELETE', `/identities/modules/${moduleId}?type=${type}`);
export const reprovision = (world: World, body: unknown = { type: 'aziot' }): Promise<WireResult> =>
  ask(world, 0, 'POST', '/identities/device/reprovision', body);

/** A file of identityd's home folder. */
export const stateFile = (world: World, name: string): Promise<string> =>
  readFile(world.path('identityd', 'home', name), 'utf8');

/** The requests that a service of the cloud saw since the journal was cleared. */
export async function seen(world: World, service: SeenRequest['service']): Promise<readonly SeenRequest[]> {
  return (await cloudOf(world).cloud.journal()).filter((one) => one.service === service);
}

export const headerOf = ({ headers }: SeenRequest, name: string): string | undefined =>
  headers.find(([candidate]) => candidate.toLowerCase() === name)?.[1];

/** The base64 of HMAC-SHA256 that keyd makes with a handle. */
export async function macBy(world: World, keyHandle: unknown, message: string): Promise<unknown> {
  const parameters = { message: Buffer.from(message).toString('base64') };
  const body = { keyHandle, algorithm: 'HMAC-SHA256', parameters };
  const request = { method: 'POST', target: '/sign?api-version=2021-05-01', body };
  return expectStatus(await exchange(world.socket('keyd'), 0, request), 200)['signature'];
}
