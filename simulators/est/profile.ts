import type { EstAuth } from './auth.ts';
import type { CsrAttribute } from './csr-attributes.ts';
import { type KeyRule, STRICT_KEYS } from './key-rule.ts';
import type { PurposeName } from './purposes.ts';

/** Kinds of keys that the server makes. */
export type ServerKeyKind = 'ec-p256' | 'ec-p384' | 'rsa-2048' | 'rsa-3072' | 'rsa-4096';

/** What is issued to whom may enrol. */
export interface IssuancePolicy {
  /** Which public keys are certified; strict rules where absent. */
  readonly keys?: Partial<KeyRule>;
  /** A request for any other purpose is refused; all are allowed where absent. */
  readonly allowedPurposes?: readonly PurposeName[];
  /** What a certificate is for when the request does not say; `clientAuth` where absent. */
  readonly defaultPurposes?: readonly PurposeName[];
  /** Issues certificates of authorities, with this many below them at most; end entities where absent. */
  readonly authority?: { readonly pathLength?: number };
  /** `principal`: the common name must be the name that the caller proved. */
  readonly subject?: 'any' | 'principal';
  /** Whether a re-enrolment may change its names by changeSubjectName; `allowed` where absent. */
  readonly renaming?: 'allowed' | 'refused';
}

/** How one label of the server behaves. */
export interface EstProfile {
  readonly auth: EstAuth;
  /** Name of the issuing authority in the test PKI; `est` where absent. */
  readonly ca?: string;
  /** Names of users or certificates (common names) that may enrol; everybody who proves who they are where absent. */
  readonly permitted?: readonly string[];
  /**
   * Whether challengePassword has to tie the request to the TLS connection (RFC 7030 3.5): never looked at (the default), checked
   * where present, or required.
   */
  readonly possession?: 'off' | 'checked' | 'required';
  /** `manual`: 202 until the request is approved. */
  readonly approval?: 'automatic' | 'manual';
  /** What a 202 says; 5 where absent. */
  readonly retryAfterSeconds?: number;
  readonly policy?: IssuancePolicy;
  /** Life of issued certificates, down to seconds; 30 days where absent. */
  readonly certificateLifetimeSeconds?: number;
  /** Begin of validity from now, negative for the past; 0 where absent. */
  readonly notBeforeOffsetSeconds?: number;
  /** What csrattrs says; 204 where there is nothing to say. */
  readonly csrAttributes?: readonly CsrAttribute[];
  /** What serverkeygen makes; `ec-p256` where absent, 501 for `off`. */
  readonly serverKey?: ServerKeyKind | 'off';
  /** Keys that a client may name to have its server-made key encrypted: AES key (16, 24 or 32 bytes, hex) by identifier (hex). */
  readonly decryptKeys?: Readonly<Record<string, string>>;
}

const THIRTY_DAYS_SECONDS = 30 * 86_400;
const RETRY_AFTER_SECONDS = 5;

/** A profile with every default filled in. */
export type WholeProfile = Required<Omit<EstProfile, 'permitted' | 'policy'>> &
  Pick<EstProfile, 'permitted'> & {
    readonly policy: Omit<IssuancePolicy, 'keys'>;
    readonly keys: KeyRule;
  };

/** Fills in the defaults. */
export function wholeProfile({ policy: { keys, ...policy } = {}, ...profile }: EstProfile): WholeProfile {
  return {
    ca: 'est',
    possession: 'off',
    approval: 'automatic',
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    certificateLifetimeSeconds: THIRTY_DAYS_SECONDS,
    notBeforeOffsetSeconds: 0,
    csrAttributes: [],
    serverKey: 'ec-p256',
    decryptKeys: {},
    ...profile,
    policy,
    keys: { ...STRICT_KEYS, ...keys },
  };
}
