import { moduleIdFault } from './module-id.ts';
import type { Principal, Settings } from './settings.ts';

/** What is wrong with settings that can be read; the text names the principal (spec/identity-service.md 3.3). */
class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

function firstDuplicateName(principals: readonly Principal[]): string | undefined {
  const seen = new Set<string>();
  for (const { name } of principals) {
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}

/** Names that two principals share are an error for their modules. Throws SettingsError. */
export function checkNames(principals: readonly Principal[]): void {
  const name = firstDuplicateName(principals);
  if (name !== undefined) throw new SettingsError(`duplicate module name: ${name}`);
}

function checkPrincipal({ name, idTypes, localPurpose }: Principal, settings: Settings): void {
  if (idTypes === undefined) return;
  const fail = (text: string) => new SettingsError(`invalid config for ${name}: ${text}`);
  if (idTypes.includes('local')) {
    if (settings.localIdDomain === undefined) throw fail('local id type requires localid config');
  } else if (localPurpose !== undefined) {
    throw fail('local identity options specified for non-local identity');
  }
  if (settings.provisioning.source === 'none' && (idTypes.includes('module') || idTypes.includes('device'))) {
    throw fail('module or device identity requires provisioning with IoT Hub');
  }
}

/**
 * The checks that end a start and refuse a reload (3.3), and nested DPS, which can never work (6.1). Throws SettingsError.
 */
export function checkSettings(settings: Settings): void {
  checkNames(settings.principals);
  for (const principal of settings.principals) checkPrincipal(principal, settings);
  if (settings.provisioning.source === 'dps' && settings.provisioning.gateway !== undefined) {
    throw new SettingsError(
      'DPS provisioning is not supported in nested mode; remove local_gateway_hostname or use manual provisioning',
    );
  }
}

/** What starts all the same but is probably not meant; one text each (3.2, 3.3, stricter). */
export function settingsWarnings(settings: Settings): string[] {
  const warnings: string[] = [];
  const byUid = new Map<number, Principal>();
  let daemon: Principal | undefined;
  for (const principal of settings.principals) {
    const { uid, name, idTypes, localPurpose } = principal;
    const former = byUid.get(uid);
    if (former) {
      warnings.push(
        `uid ${uid} is used by the principals "${former.name}" and "${name}"; the rights of "${name}" count`,
      );
    }
    byUid.set(uid, principal);
    if (idTypes === undefined) {
      if (daemon) {
        warnings.push(
          `Principal "${name}" is not authorized. Please ensure there is only one principal without a type in the config.toml; "${daemon.name}" is the one`,
        );
      }
      daemon ??= principal;
      if (localPurpose !== undefined) warnings.push(`localid of the daemon principal "${name}" has no effect`);
    }
    const fault = idTypes?.includes('module') ? moduleIdFault(name) : undefined;
    if (fault !== undefined) warnings.push(`principal "${name}" gets no module in the hub: ${fault}`);
    if (name === '') warnings.push(`the principal with uid ${uid} has an empty name`);
  }
  const { provisioning } = settings;
  const authentication = provisioning.source === 'manual' ? provisioning.authentication : undefined;
  if (authentication?.method === 'x509' && typeof authentication.csrSubject === 'string') {
    warnings.push('csr_subject is a text and has no effect; write a table with CN');
  }
  return warnings;
}
