/** Rights of a host process. */
export type IdType = 'device' | 'module' | 'local';

/** Purpose of a local identity's certificate. */
export type LocalPurpose = 'client' | 'server';

/** A caller as configured; without `idTypes` it is the daemon principal. */
export interface Principal {
  readonly uid: number;
  readonly name: string;
  readonly idTypes: readonly IdType[] | undefined;
  /** Present when `localid` was written. */
  readonly localPurpose: LocalPurpose | undefined;
}

/** A subject as written: attribute names in any case to values. */
export type SubjectTable = Readonly<Record<string, string>>;

/** When and how the device certificate is renewed; the policies as written, checked. */
export interface AutoRenew {
  readonly rotateKey: boolean;
  readonly threshold: string;
  readonly retry: string;
}

/** Credentials of a manually provisioned device. */
export type Authentication =
  | { readonly method: 'sas'; readonly keyId: string }
  | {
      readonly method: 'x509';
      readonly certId: string;
      readonly keyPairId: string;
      /** As written; only a table counts. */
      readonly csrSubject: string | SubjectTable | undefined;
    };

/** How a device proves itself to DPS. */
export type Attestation =
  | { readonly method: 'symmetric_key'; readonly registrationId: string; readonly keyId: string }
  | { readonly method: 'tpm'; readonly registrationId: string }
  | {
      readonly method: 'x509';
      readonly certId: string;
      readonly keyPairId: string;
      /** As written: an id, or a subject with CN. */
      readonly registrationId: string | SubjectTable | undefined;
      readonly autoRenew: AutoRenew | undefined;
    };

/** Where the device identity comes from. */
export type Provisioning = { readonly gateway: string | undefined } & (
  | { readonly source: 'none' }
  | {
      readonly source: 'manual';
      readonly hubName: string;
      readonly deviceId: string;
      readonly authentication: Authentication;
    }
  | {
      readonly source: 'dps';
      /** Normalised URL. */
      readonly endpoint: string;
      readonly scopeId: string;
      readonly payloadUri: string | undefined;
      readonly attestation: Attestation;
    }
);

/** identityd's configuration, read and checked. */
export interface Settings {
  readonly hostname: string;
  readonly homedir: string;
  readonly preferModuleCache: boolean;
  readonly maxRequests: number;
  readonly cloudTimeoutSec: number;
  readonly cloudRetries: number;
  readonly provisioning: Provisioning;
  readonly principals: readonly Principal[];
  readonly localIdDomain: string | undefined;
}

export const DEFAULT_CLOUD_TIMEOUT_SEC = 70;
export const DEFAULT_CLOUD_RETRIES = 1;

/** Value of the attribute `CN`, its name in any case. */
export function commonNameOf(subject: SubjectTable): string | undefined {
  return Object.entries(subject).find(([name]) => name.toLowerCase() === 'cn')?.[1];
}

/** Names of the principals that are modules in the hub. */
export function moduleNames(principals: readonly Principal[]): string[] {
  return principals.filter(({ idTypes }) => idTypes?.includes('module')).map(({ name }) => name);
}
