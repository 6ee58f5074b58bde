import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Guard } from './guard.ts';
import type { CertificatePair, CloudTarget, DeviceKeys, DpsTarget, HubTarget } from './target.ts';

/**
 * Reads a description from a file: the shape of `CloudTarget`, where each member that ends in `Pem` may stand as a path in a member that ends in
 * `File` (`rootFile`, `certFile`, `keyFile`), relative to the description.
 * @throws Error naming the file and what is wrong
 */
export function readTarget(path: string): CloudTarget {
  const withFiles = (_key: string, value: unknown): unknown => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) =>
        name.endsWith('File')
          ? [`${name.slice(0, -'File'.length)}Pem`, readFileSync(resolve(dirname(path), String(member)), 'utf8')]
          : [name, member],
      ),
    );
  };
  try {
    return JSON.parse(readFileSync(path, 'utf8'), withFiles) as CloudTarget;
  } catch (error) {
    throw new Error(`${path} does not describe a cloud: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Reads a description from variables, for live services (docs/conformance.md lists them). A service without its name is not judged.
 * @throws Error naming the variable that lacks another
 */
export function readEnvironment(env: NodeJS.ProcessEnv, guard: Guard): CloudTarget {
  const rootFile = env['AZIOT_CONFORMANCE_CA'];
  const common = { guard, ...(rootFile ? { rootPem: readFileSync(rootFile, 'utf8') } : {}) };
  const endpoint = (hostName: string, address: string | undefined) => ({
    hostName,
    ...common,
    ...(address ? { address } : {}),
  });
  const scopeId = env['AZURE_DPS_SCOPE_ID'];
  const hubName = env['AZURE_HUB_HOST'];
  const dps = scopeId && {
    ...endpoint(env['AZURE_DPS_HOST'] || 'global.azure-devices-provisioning.net', env['AZURE_DPS_ADDRESS']),
    scopeId,
    ...dpsDevices(env),
  };
  const hub = hubName && { ...endpoint(hubName, env['AZURE_HUB_ADDRESS']), ...hubDevices(env) };
  return { ...(dps ? { dps } : {}), ...(hub ? { hub } : {}) };
}

function dpsDevices(env: NodeJS.ProcessEnv): Partial<DpsTarget> {
  const keyed = (name: string) => named(env, `AZURE_DPS_${name}`, 'registrationId', keysAt(env, `AZURE_DPS_${name}`));
  const certified = (name: string) =>
    named(env, `AZURE_DPS_${name}`, 'registrationId', pairAt(env, `AZURE_DPS_${name}`));
  return withoutGaps({
    symmetric: withDeviceId(keyed('SYMMETRIC'), env['AZURE_DPS_SYMMETRIC_DEVICE_ID']),
    other: keyed('OTHER'),
    disabled: keyed('DISABLED'),
    group: named(env, 'AZURE_DPS_GROUP', 'registrationId', groupKeyAt(env)),
    x509: certified('X509'),
    x509Group: certified('X509_GROUP'),
    x509Expired: pairAt(env, 'AZURE_DPS_X509_EXPIRED'),
    x509OtherName: pairAt(env, 'AZURE_DPS_X509_OTHER_NAME'),
  });
}

function withDeviceId<T extends object>(device: T | undefined, deviceId: string | undefined) {
  return device && (deviceId ? { ...device, deviceId } : device);
}

function hubDevices(env: NodeJS.ProcessEnv): Partial<HubTarget> {
  const keyed = (name: string) => named(env, `AZURE_HUB_${name}`, 'deviceId', keysAt(env, `AZURE_HUB_${name}`));
  return withoutGaps({
    device: keyed('DEVICE'),
    other: keyed('OTHER'),
    disabled: keyed('DISABLED'),
    edge: keyed('EDGE'),
    x509: named(env, 'AZURE_HUB_X509', 'deviceId', pairAt(env, 'AZURE_HUB_X509')),
  });
}

function keysAt(env: NodeJS.ProcessEnv, prefix: string): DeviceKeys | undefined {
  const primaryKey = env[`${prefix}_KEY`];
  const secondaryKey = env[`${prefix}_SECONDARY_KEY`];
  return primaryKey ? { primaryKey, ...(secondaryKey ? { secondaryKey } : {}) } : undefined;
}

function groupKeyAt(env: NodeJS.ProcessEnv): { groupKey: string } | undefined {
  const groupKey = env['AZURE_DPS_GROUP_KEY'];
  return groupKey ? { groupKey } : undefined;
}

function pairAt(env: NodeJS.ProcessEnv, prefix: string): CertificatePair | undefined {
  const cert = env[`${prefix}_CERT_FILE`];
  const key = env[`${prefix}_KEY_FILE`];
  return cert && key ? { certPem: readFileSync(cert, 'utf8'), keyPem: readFileSync(key, 'utf8') } : undefined;
}

function named<T extends object, Name extends string>(
  env: NodeJS.ProcessEnv,
  prefix: string,
  name: Name,
  rest: T | undefined,
): (T & Record<Name, string>) | undefined {
  const id = env[`${prefix}_ID`];
  if (!id !== !rest) throw new Error(`${prefix}_ID and its key go together; one of them is missing`);
  return id && rest ? ({ ...rest, [name]: id } as T & Record<Name, string>) : undefined;
}

function withoutGaps<T extends object>(value: T): { [Key in keyof T]: Exclude<T[Key], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as {
    [Key in keyof T]: Exclude<T[Key], undefined>;
  };
}
