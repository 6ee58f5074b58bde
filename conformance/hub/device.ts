import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  type CertificatePair,
  cloudTarget,
  type Endpoint,
  expectAnswer,
  type HubTarget,
  needed,
  type ServiceAnswer,
  sasToken,
  send,
} from '../azure/index.ts';
import type { Context } from '../runner/index.ts';

/** The version that the identity service uses. */
export const VERSION = 'api-version=2017-11-08-preview';

/** The hub of the run. Skips where only a provisioning service is described. */
export async function hubOf(context: Context): Promise<HubTarget> {
  const { hub } = await cloudTarget();
  return hub ?? context.skip('no hub is described');
}

/** A device of the hub that manages its modules. */
export interface ModuleOwner {
  readonly hub: HubTarget;
  readonly deviceId: string;
  readonly primaryKey: string;
  readonly secondaryKey?: string;
  /** A token at the level of the device. */
  readonly token: string;
}

type Named = 'device' | 'other' | 'disabled' | 'edge' | 'crowded';

/** The device that the description has under that name. */
export async function ownerOf(context: Context, name: Named = 'device'): Promise<ModuleOwner> {
  const hub = await hubOf(context);
  const device = needed(context, hub[name], name);
  return { hub, ...device, token: tokenOf(hub, device) };
}

/** A token as the identity service makes it: the resource in lower case, no policy. */
export function tokenOf(
  hub: HubTarget,
  device: { readonly deviceId: string; readonly primaryKey: string },
  more: { readonly lifetimeSeconds?: number; readonly policy?: string; readonly signed?: string } = {},
): string {
  const resource = `${hub.hostName}/devices/${device.deviceId}`.toLowerCase();
  return sasToken({ resource, key: device.primaryKey, ...more });
}

export const modulesPath = (deviceId: string): string => `/devices/${encodeURIComponent(deviceId)}/modules`;
export const modulePath = (deviceId: string, moduleId: string): string =>
  `${modulesPath(deviceId)}/${encodeURIComponent(moduleId)}`;

/** What a call shows, and where it goes when not to the hub itself. */
export interface Shown {
  readonly token?: string | undefined;
  readonly client?: CertificatePair;
  readonly ifMatch?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly at?: Endpoint;
}

/** A call on a path of a device, as `owner` unless another token is given (`undefined`: none). */
export function call(owner: ModuleOwner, method: string, path: string, shown: Shown = {}): Promise<ServiceAnswer> {
  const { ifMatch, headers, body, client, at = owner.hub } = shown;
  return send(at, {
    method,
    target: `${path}?${VERSION}`,
    token: 'token' in shown ? shown.token : owner.token,
    headers: { ...headers, ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }) },
    ...(body === undefined ? {} : { body }),
    ...(client === undefined ? {} : { client }),
  });
}

/** Lists the modules of the owner, or of another device with the owner's token. */
export const list = (owner: ModuleOwner, deviceId = owner.deviceId, shown: Shown = {}): Promise<ServiceAnswer> =>
  call(owner, 'GET', modulesPath(deviceId), shown);

export const read = (owner: ModuleOwner, moduleId: string): Promise<ServiceAnswer> =>
  call(owner, 'GET', modulePath(owner.deviceId, moduleId));

/** PUT with the two ids as the body, and what else is given. */
export function put(
  owner: ModuleOwner,
  moduleId: string,
  { more = {}, ...shown }: Shown & { readonly more?: object } = {},
): Promise<ServiceAnswer> {
  const body = { moduleId, deviceId: owner.deviceId, ...more };
  return call(owner, 'PUT', modulePath(owner.deviceId, moduleId), { body, ...shown });
}

export const remove = (owner: ModuleOwner, moduleId: string, ifMatch = '*'): Promise<ServiceAnswer> =>
  call(owner, 'DELETE', modulePath(owner.deviceId, moduleId), { ifMatch });

/** A name that no other run has. */
export const newModuleId = (): string => `conformance-${randomBytes(6).toString('hex')}`;

/** A module that the hub answered with. */
export type ModuleBody = Record<string, unknown> & {
  readonly generationId: string;
  readonly etag: string;
  readonly authentication: { readonly type?: unknown; readonly symmetricKey?: Record<string, unknown> };
};

/** The module of an answer with status 200. */
export function moduleOf(answer: ServiceAnswer): ModuleBody {
  const { generationId, etag, authentication, ...rest } = expectAnswer(answer, 200);
  assert.ok(typeof generationId === 'string' && typeof etag === 'string', `generationId and etag: ${answer.body}`);
  assert.ok(typeof authentication === 'object' && authentication !== null, `authentication: ${answer.body}`);
  return { ...rest, generationId, etag, authentication };
}

/** Makes a module for the time of `work`, which is told its name. */
export async function withModule(
  owner: ModuleOwner,
  work: (moduleId: string, created: ModuleBody) => Promise<void>,
  moduleId = newModuleId(),
): Promise<void> {
  const created = moduleOf(await put(owner, moduleId));
  try {
    await work(moduleId, created);
  } finally {
    await remove(owner, moduleId);
  }
}

/** `authentication` of an update with two symmetric keys. */
export const sasKeys = (primaryKey: string, secondaryKey: string): object => ({
  authentication: { type: 'sas', symmetricKey: { primaryKey, secondaryKey } },
});

export const newKey = (bytes = 32): string => randomBytes(bytes).toString('base64');
