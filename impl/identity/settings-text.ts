import { DEFAULT_MAX_REQUESTS } from '../config/index.ts';
import {
  type Attestation,
  type Authentication,
  DEFAULT_CLOUD_RETRIES,
  DEFAULT_CLOUD_TIMEOUT_SEC,
  type Principal,
  type Provisioning,
  type Settings,
  type SubjectTable,
} from './settings.ts';

type Scalar = string | number | boolean;
type Entry = readonly [key: string, value: Scalar | readonly string[] | undefined];

/** A TOML basic string. */
export function tomlString(text: string): string {
  // Every escape that JSON makes is also one of TOML; DEL is the only character that TOML escapes besides.
  return JSON.stringify(text).replaceAll('\u007f', '\\u007F');
}

function tomlValue(value: Scalar | readonly string[]): string {
  if (typeof value === 'string') return tomlString(value);
  if (typeof value === 'object') return `[${value.map(tomlString).join(', ')}]`;
  return String(value);
}

const bareKey = (key: string): string => (/^[A-Za-z0-9_-]+$/.test(key) ? key : tomlString(key));

/** `key = value` lines, absent values left out. */
function lines(entries: readonly Entry[]): string {
  return entries
    .filter((entry): entry is readonly [string, Scalar | readonly string[]] => entry[1] !== undefined)
    .map(([key, value]) => `${bareKey(key)} = ${tomlValue(value)}\n`)
    .join('');
}

const table = (name: string, entries: readonly Entry[]): string => `\n[${name}]\n${lines(entries)}`;

/** A member that is a text (a line of its own table) or a subject (a sub-table after it). */
function textOrTable(key: string, value: string | SubjectTable | undefined, parent: string) {
  if (typeof value !== 'object') return { entry: [[key, value]] as Entry[], after: '' };
  return { entry: [] as Entry[], after: table(`${parent}.${key}`, Object.entries(value)) };
}

function authenticationText(authentication: Authentication): string {
  const name = 'provisioning.authentication';
  if (authentication.method === 'sas') {
    return table(name, [
      ['method', 'sas'],
      ['device_id_pk', authentication.keyId],
    ]);
  }
  const subject = textOrTable('csr_subject', authentication.csrSubject, name);
  const own: Entry[] = [
    ['method', 'x509'],
    ['identity_cert', authentication.certId],
    ['identity_pk', authentication.keyPairId],
    ...subject.entry,
  ];
  return table(name, own) + subject.after;
}

function attestationText(attestation: Attestation): string {
  const name = 'provisioning.attestation';
  if (attestation.method !== 'x509') {
    const key = attestation.method === 'symmetric_key' ? attestation.keyId : undefined;
    return table(name, [
      ['method', attestation.method],
      ['registration_id', attestation.registrationId],
      ['symmetric_key', key],
    ]);
  }
  const { autoRenew } = attestation;
  const id = textOrTable('registration_id', attestation.registrationId, name);
  const renewal: Entry[] = autoRenew
    ? [
        ['rotate_key', autoRenew.rotateKey],
        ['threshold', autoRenew.threshold],
        ['retry', autoRenew.retry],
      ]
    : [];
  const own: Entry[] = [
    ['method', 'x509'],
    ['identity_cert', attestation.certId],
    ['identity_pk', attestation.keyPairId],
    ...id.entry,
  ];
  return table(name, own) + id.after + (autoRenew ? table(`${name}.identity_auto_renew`, renewal) : '');
}

function provisioningText(provisioning: Provisioning): string {
  const start: Entry[] = [
    ['local_gateway_hostname', provisioning.gateway],
    ['source', provisioning.source],
  ];
  if (provisioning.source === 'none') return table('provisioning', start);
  if (provisioning.source === 'manual') {
    const own: Entry[] = [...start, ['iothub_hostname', provisioning.hubName], ['device_id', provisioning.deviceId]];
    return table('provisioning', own) + authenticationText(provisioning.authentication);
  }
  const own: Entry[] = [...start, ['global_endpoint', provisioning.endpoint], ['scope_id', provisioning.scopeId]];
  const payload =
    provisioning.payloadUri === undefined ? '' : table('provisioning.payload', [['uri', provisioning.payloadUri]]);
  return table('provisioning', own) + attestationText(provisioning.attestation) + payload;
}

function principalText({ uid, name, idTypes, localPurpose }: Principal): string {
  const own = lines([
    ['uid', uid],
    ['name', name],
    ['idtype', idTypes],
  ]);
  const options =
    localPurpose &&
    table('principal.localid', [
      ['type', 'x509'],
      ['attributes', localPurpose],
    ]);
  return `\n[[principal]]\n${own}${options ?? ''}`;
}

/**
 * The settings as `prev_state` holds them: the schema of the configuration without `[endpoints]`; timeout, retries and
 * max_requests only where they differ from the default; the order of the reference (spec/identity-service.md 7.1).
 */
export function settingsText(settings: Settings): string {
  const unless = (value: number, usual: number) => (value === usual ? undefined : value);
  const top = lines([
    ['hostname', settings.hostname],
    ['homedir', settings.homedir],
    ['prefer_module_identity_cache', settings.preferModuleCache],
    ['max_requests', unless(settings.maxRequests, DEFAULT_MAX_REQUESTS)],
    ['cloud_timeout_sec', unless(settings.cloudTimeoutSec, DEFAULT_CLOUD_TIMEOUT_SEC)],
    ['cloud_retries', unless(settings.cloudRetries, DEFAULT_CLOUD_RETRIES)],
  ]);
  const local = settings.localIdDomain === undefined ? '' : table('localid', [['domain', settings.localIdDomain]]);
  return top + provisioningText(settings.provisioning) + settings.principals.map(principalText).join('') + local;
}
