import type { Authentication, AuthenticationInput } from './authentication.ts';
import { HubError } from './errors.ts';
import type { ModuleIdentity, ModuleInput } from './registry.ts';

const NEVER = '0001-01-01T00:00:00';

/** A module as the hub writes it (spec cloud.md 7). */
export function moduleJson(module: ModuleIdentity): object {
  return {
    moduleId: module.moduleId,
    managedBy: module.managedBy,
    deviceId: module.deviceId,
    generationId: module.generationId,
    etag: module.etag,
    connectionState: 'Disconnected',
    connectionStateUpdatedTime: NEVER,
    lastActivityTime: NEVER,
    cloudToDeviceMessageCount: 0,
    authentication: authenticationJson(module.authentication),
  };
}

function authenticationJson(authentication: Authentication): object {
  const isSas = authentication.type === 'sas';
  const isSelfSigned = authentication.type === 'selfSigned';
  return {
    symmetricKey: {
      primaryKey: isSas ? authentication.primaryKey : null,
      secondaryKey: isSas ? authentication.secondaryKey : null,
    },
    x509Thumbprint: {
      primaryThumbprint: isSelfSigned ? authentication.primaryThumbprint : null,
      secondaryThumbprint: isSelfSigned ? authentication.secondaryThumbprint : null,
    },
    type: authentication.type,
  };
}

/**
 * Reads the body of a module PUT. Members beyond the known ones are ignored, as the service does.
 *
 * @param text the body as received.
 * @throws HubError argumentInvalid when it is no JSON object, names another module or device, or a member is mistyped.
 */
export function readModuleBody(text: string, deviceId: string, moduleId: string): ModuleInput {
  const body = readObject(text);
  if (body['moduleId'] !== moduleId || body['deviceId'] !== deviceId) {
    throw new HubError('argumentInvalid', 'moduleId or deviceId');
  }
  const input: ModuleInput = {};
  const managedBy = body['managedBy'];
  if (managedBy !== undefined) {
    if (managedBy !== null && typeof managedBy !== 'string') throw new HubError('argumentInvalid', 'managedBy');
    input.managedBy = managedBy;
  }
  const authentication = body['authentication'];
  if (authentication !== undefined && authentication !== null)
    input.authentication = readAuthentication(authentication);
  return input;
}

function readObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new HubError('argumentInvalid', 'the body is not JSON');
  }
  if (!isObject(value)) throw new HubError('argumentInvalid', 'the body is not a JSON object');
  return value;
}

function readAuthentication(value: unknown): AuthenticationInput {
  if (!isObject(value)) throw new HubError('argumentInvalid', 'authentication');
  const type: unknown = value['type'] ?? 'sas';
  switch (type) {
    case 'sas':
      return { type, ...readTexts(value['symmetricKey'], 'symmetricKey', ['primaryKey', 'secondaryKey']) };
    case 'selfSigned':
      return {
        type,
        ...readTexts(value['x509Thumbprint'], 'x509Thumbprint', ['primaryThumbprint', 'secondaryThumbprint']),
      };
    case 'certificateAuthority':
    case 'none':
      return { type };
    default:
      throw new HubError('argumentInvalid', 'authentication.type');
  }
}

function readTexts<Name extends string>(
  value: unknown,
  member: string,
  names: readonly Name[],
): Partial<Record<Name, string>> {
  const texts: Partial<Record<Name, string>> = {};
  if (value === undefined || value === null) return texts;
  if (!isObject(value)) throw new HubError('argumentInvalid', member);
  for (const name of names) {
    const text = value[name];
    if (text === undefined || text === null) continue;
    if (typeof text !== 'string') throw new HubError('argumentInvalid', `${member}.${name}`);
    texts[name] = text;
  }
  return texts;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
