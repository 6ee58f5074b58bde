import { createHmac } from 'node:crypto';
import type { Provisioning } from './options.ts';
import type { TomlTable } from './toml-values.ts';

/** The names that keyd, certd and identityd have for the keys and certificates of the device. */
export const IDS = {
  device: 'device-id',
  estIdentity: 'est-id',
  estBootstrap: 'est-bootstrap-id',
  estServerCa: 'est-server-ca-1',
  localCa: 'local-ca',
  master: 'aziot_identityd_master_id',
} as const;

export const DEVICE_ID = 'test-device-01';

/** Secrets that the makers of the device and the operators of the cloud share: base64 of 32 bytes each. */
export interface Secrets {
  readonly deviceKey: string;
  readonly secondaryKey: string;
  readonly groupKey: string;
}

/** What a way of provisioning knows of the cloud. */
export interface CloudFacts {
  readonly dpsUrl: string;
  readonly scopeId: string;
  readonly hubName: string;
}

/** The cloud's side of a way: where the device is enrolled, and what proves it. */
export type Enrolment =
  | { readonly kind: 'dps-authorities'; readonly issuer: 'est' | 'local-ca' }
  | { readonly kind: 'dps-key' }
  | { readonly kind: 'dps-group-key' }
  | { readonly kind: 'dps-tpm' }
  | { readonly kind: 'hub-key' }
  | { readonly kind: 'hub-authority'; readonly issuer: 'est' };

/** One way in which a device comes to its identity. */
export interface Way {
  readonly name: Provisioning;
  /** As the JSON document names it. */
  readonly attestation: 'x509' | 'symmetric_key' | 'sas' | 'tpm';
  readonly enrolment: Enrolment;
  /** Who issues the device certificate; absent: the device has a symmetric key. */
  readonly issuer?: 'est' | 'local-ca';
  /** The key that the device gets when it is made, base64. */
  readonly factoryKey?: (secrets: Secrets) => string;
  /** identityd's `[provisioning]` (identity-service.md 3.1). */
  readonly provisioning: (facts: CloudFacts) => TomlTable;
}

const X509_IDENTITY = { method: 'x509', identity_cert: IDS.device, identity_pk: IDS.device };

const dps =
  (attestation: TomlTable) =>
  ({ dpsUrl, scopeId }: CloudFacts): TomlTable => ({
    source: 'dps',
    global_endpoint: dpsUrl,
    scope_id: scopeId,
    attestation,
  });

const manual =
  (authentication: TomlTable) =>
  ({ hubName }: CloudFacts): TomlTable => ({
    source: 'manual',
    iothub_hostname: hubName,
    device_id: DEVICE_ID,
    authentication,
  });

const byCertificate = dps({ ...X509_IDENTITY, registration_id: DEVICE_ID });
const byKey = dps({ method: 'symmetric_key', registration_id: DEVICE_ID, symmetric_key: IDS.device });

/** The key of a device of a symmetric-key group: HMAC-SHA256 of its registration id under the group's key, base64. */
export function groupDeviceKey(groupKey: string, registrationId: string): string {
  return createHmac('sha256', Buffer.from(groupKey, 'base64')).update(registrationId, 'utf8').digest('base64');
}

const WAYS: Readonly<Record<Provisioning, Omit<Way, 'name'>>> = {
  'dps-x509-est': {
    attestation: 'x509',
    enrolment: { kind: 'dps-authorities', issuer: 'est' },
    issuer: 'est',
    provisioning: byCertificate,
  },
  'dps-x509-local-ca': {
    attestation: 'x509',
    enrolment: { kind: 'dps-authorities', issuer: 'local-ca' },
    issuer: 'local-ca',
    provisioning: byCertificate,
  },
  'dps-symmetric': {
    attestation: 'symmetric_key',
    enrolment: { kind: 'dps-key' },
    factoryKey: ({ deviceKey }) => deviceKey,
    provisioning: byKey,
  },
  'dps-symmetric-group': {
    attestation: 'symmetric_key',
    enrolment: { kind: 'dps-group-key' },
    factoryKey: ({ groupKey }) => groupDeviceKey(groupKey, DEVICE_ID),
    provisioning: byKey,
  },
  'manual-sas': {
    attestation: 'sas',
    enrolment: { kind: 'hub-key' },
    factoryKey: ({ deviceKey }) => deviceKey,
    provisioning: manual({ method: 'sas', device_id_pk: IDS.device }),
  },
  'manual-x509': {
    attestation: 'x509',
    enrolment: { kind: 'hub-authority', issuer: 'est' },
    issuer: 'est',
    provisioning: manual(X509_IDENTITY),
  },
  'dps-tpm': {
    attestation: 'tpm',
    enrolment: { kind: 'dps-tpm' },
    provisioning: dps({ method: 'tpm', registration_id: DEVICE_ID }),
  },
};

/** The way called `name`. */
export function wayOf(name: Provisioning): Way {
  return { name, ...WAYS[name] };
}
