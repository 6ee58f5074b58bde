import type { Static } from 'typebox';
import { ConfigError, DEFAULT_MAX_REQUESTS } from '../config/index.ts';
import { parsePolicy } from '../renewal/index.ts';
import {
  type Attestation,
  type Authentication,
  type AutoRenew,
  commonNameOf,
  DEFAULT_CLOUD_RETRIES,
  DEFAULT_CLOUD_TIMEOUT_SEC,
  type Principal,
  type Provisioning,
  type Settings,
  type SubjectTable,
} from './settings.ts';
import type { PRINCIPAL, SETTINGS } from './settings-schema.ts';

type Written = Static<typeof SETTINGS>;
type WrittenProvisioning = Written['provisioning'];

/** Names a key with its file and line where known: `file:3: key "a.b"`. */
export type DescribeKey = (path: readonly (string | number)[]) => string;

/** A reader of one table that complains about its missing keys by name. */
function needing(describe: DescribeKey, path: readonly string[]) {
  return <T>(value: T | undefined, key: string): T => {
    if (value === undefined) throw new ConfigError(`${describe([...path, key])} is missing`);
    return value;
  };
}

/** A policy text that the renewal engine can read, unchanged. */
function checkPolicy(text: string, where: string): string {
  try {
    parsePolicy(text);
    return text;
  } catch (error) {
    throw new ConfigError(`${where}: ${error instanceof Error ? error.message : 'not a renewal policy'}`);
  }
}

function checkSubject(subject: SubjectTable, where: string): SubjectTable {
  if (commonNameOf(subject) === undefined) throw new ConfigError(`${where} needs the attribute CN`);
  return subject;
}

function readAuthentication(written: WrittenProvisioning, describe: DescribeKey): Authentication {
  const path = ['provisioning', 'authentication'];
  const value = needing(describe, ['provisioning'])(written.authentication, 'authentication');
  const need = needing(describe, path);
  if (value.method === 'sas') return { method: 'sas', keyId: need(value.device_id_pk, 'device_id_pk') };
  const subject = value.csr_subject;
  return {
    method: 'x509',
    certId: need(value.identity_cert, 'identity_cert'),
    keyPairId: need(value.identity_pk, 'identity_pk'),
    csrSubject: typeof subject === 'object' ? checkSubject(subject, describe([...path, 'csr_subject'])) : subject,
  };
}

function readAutoRenew(
  written: NonNullable<WrittenProvisioning['attestation']>['identity_auto_renew'],
  describe: DescribeKey,
  path: readonly string[],
): AutoRenew | undefined {
  if (!written) return undefined;
  return {
    rotateKey: written.rotate_key,
    threshold: checkPolicy(written.threshold, describe([...path, 'identity_auto_renew', 'threshold'])),
    retry: checkPolicy(written.retry, describe([...path, 'identity_auto_renew', 'retry'])),
  };
}

function readAttestation(written: WrittenProvisioning, describe: DescribeKey): Attestation {
  const path = ['provisioning', 'attestation'];
  const value = needing(describe, ['provisioning'])(written.attestation, 'attestation');
  const need = needing(describe, path);
  const id = value.registration_id;
  const where = describe([...path, 'registration_id']);
  if (value.method === 'x509') {
    return {
      method: 'x509',
      certId: need(value.identity_cert, 'identity_cert'),
      keyPairId: need(value.identity_pk, 'identity_pk'),
      registrationId: typeof id === 'object' ? checkSubject(id, where) : id,
      autoRenew: readAutoRenew(value.identity_auto_renew, describe, path),
    };
  }
  if (typeof id === 'object') throw new ConfigError(`${where} must be a text for this method`);
  const registrationId = need(id, 'registration_id');
  if (value.method === 'tpm') return { method: 'tpm', registrationId };
  return { method: 'symmetric_key', registrationId, keyId: need(value.symmetric_key, 'symmetric_key') };
}

function readUrl(text: string, where: string): URL {
  try {
    return new URL(text);
  } catch {
    throw new ConfigError(`${where} must be a URL with its scheme; it is "${text}"`);
  }
}

function readProvisioning(written: WrittenProvisioning, describe: DescribeKey): Provisioning {
  const gateway = written.local_gateway_hostname;
  const need = needing(describe, ['provisioning']);
  if (written.source === 'none') return { source: 'none', gateway };
  if (written.source === 'manual') {
    return {
      source: 'manual',
      gateway,
      hubName: need(written.iothub_hostname, 'iothub_hostname'),
      deviceId: need(written.device_id, 'device_id'),
      authentication: readAuthentication(written, describe),
    };
  }
  const endpoint = need(written.global_endpoint, 'global_endpoint');
  const payload = written.payload?.uri;
  return {
    source: 'dps',
    gateway,
    endpoint: readUrl(endpoint, describe(['provisioning', 'global_endpoint'])).href,
    scopeId: need(written.scope_id, 'scope_id'),
    payloadUri: payload === undefined ? undefined : readUrl(payload, describe(['provisioning', 'payload', 'uri'])).href,
    attestation: readAttestation(written, describe),
  };
}

/** A principal from its table. */
export function readPrincipal(written: Static<typeof PRINCIPAL>): Principal {
  return {
    uid: written.uid,
    name: written.name,
    idTypes: written.idtype,
    localPurpose: written.localid && (written.localid.attributes ?? 'client'),
  };
}

/**
 * Reads settings whose shape fits the schema: which keys each source needs, URLs, renewal policies, limits
 * (spec/identity-service.md 3.1). Throws ConfigError.
 */
export function readSettings(written: Written, describe: DescribeKey): Settings {
  const cloudTimeoutSec = written.cloud_timeout_sec ?? DEFAULT_CLOUD_TIMEOUT_SEC;
  if (cloudTimeoutSec < 70) {
    throw new ConfigError(`${describe(['cloud_timeout_sec'])}: cloud_timeout_sec must be at least 70 seconds`);
  }
  return {
    hostname: written.hostname,
    homedir: written.homedir,
    preferModuleCache: written.prefer_module_identity_cache ?? false,
    maxRequests: written.max_requests ?? DEFAULT_MAX_REQUESTS,
    cloudTimeoutSec,
    cloudRetries: written.cloud_retries ?? DEFAULT_CLOUD_RETRIES,
    provisioning: readProvisioning(written.provisioning, describe),
    principals: (written.principal ?? []).map(readPrincipal),
    localIdDomain: written.localid?.domain,
  };
}
