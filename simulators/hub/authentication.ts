import { X509Certificate } from 'node:crypto';

/**
 * How a device or module identity proves itself to the hub. Keys are base64 of 16 to 64 bytes, thumbprints are
 * upper-case hex of SHA-1 or SHA-256, certificates are PEM. TPM devices are `sas` to the hub.
 */
export type Authentication =
  | { type: 'sas'; primaryKey: string; secondaryKey: string }
  | { type: 'selfSigned'; primaryThumbprint: string | null; secondaryThumbprint: string | null }
  | { type: 'certificateAuthority'; caPem: string[] }
  | { type: 'none' };

/** The same as a caller gives it: missing keys are made by the hub or, on an update, kept. */
export type AuthenticationInput =
  | { type: 'sas'; primaryKey?: string | null; secondaryKey?: string | null }
  | { type: 'selfSigned'; primaryThumbprint?: string | null; secondaryThumbprint?: string | null }
  | { type: 'certificateAuthority'; caPem?: string[] }
  | { type: 'none' };

const CANONICAL_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const THUMBPRINT = /^(?:[0-9A-F]{40}|[0-9A-F]{64})$/;

/** Whether `text` is canonical base64 of 16 to 64 bytes, the key sizes that the service takes (spec cloud.md 10.6). */
export function isSymmetricKey(text: string): boolean {
  if (text.length > 88 || !CANONICAL_BASE64.test(text)) return false;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length >= 16 && bytes.length <= 64 && bytes.toString('base64') === text;
}

/**
 * Upper-case hex without separators, or `undefined` when `text` is not a SHA-1 or SHA-256 thumbprint.
 * Accepts the colon form that openssl prints.
 */
export function normaliseThumbprint(text: string): string | undefined {
  const hex = text.replaceAll(':', '').toUpperCase();
  return THUMBPRINT.test(hex) ? hex : undefined;
}

/** What is wrong with a credential that a caller gave. */
export class InvalidAuthentication extends Error {}

/**
 * Completes what a caller gave into an authentication of an identity.
 *
 * @param makeKey makes one fresh base64 key; called for each symmetric key that neither `input` nor `current` has.
 * @throws InvalidAuthentication naming the member that is not as the service takes it.
 */
export function completeAuthentication(
  input: AuthenticationInput | undefined,
  current: Authentication | undefined,
  makeKey: () => string,
): Authentication {
  if (input === undefined) {
    return current ?? { type: 'sas', primaryKey: makeKey(), secondaryKey: makeKey() };
  }
  switch (input.type) {
    case 'none':
      return { type: 'none' };
    case 'certificateAuthority':
      return {
        type: 'certificateAuthority',
        caPem: input.caPem?.map(certificate) ?? (current?.type === input.type ? current.caPem : []),
      };
    case 'selfSigned':
      return {
        type: 'selfSigned',
        primaryThumbprint: thumbprint('primaryThumbprint', input.primaryThumbprint),
        secondaryThumbprint: thumbprint('secondaryThumbprint', input.secondaryThumbprint),
      };
    case 'sas': {
      const kept = current?.type === 'sas' ? current : undefined;
      return {
        type: 'sas',
        primaryKey: key('primaryKey', input.primaryKey) ?? kept?.primaryKey ?? makeKey(),
        secondaryKey: key('secondaryKey', input.secondaryKey) ?? kept?.secondaryKey ?? makeKey(),
      };
    }
  }
}

function key(member: string, value: string | null | undefined): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isSymmetricKey(value)) throw new InvalidAuthentication(`${member} must be base64 of 16 to 64 bytes`);
  return value;
}

/** @throws InvalidAuthentication when `pem` holds no certificate. */
export function certificate(pem: string): string {
  try {
    new X509Certificate(pem);
  } catch (cause) {
    throw new InvalidAuthentication('caPem must be certificates in PEM', { cause });
  }
  return pem;
}

function thumbprint(member: string, value: string | null | undefined): string | null {
  if (value === undefined || value === null || value === '') return null;
  const hex = normaliseThumbprint(value);
  if (hex === undefined) throw new InvalidAuthentication(`${member} must be a SHA-1 or SHA-256 thumbprint in hex`);
  return hex;
}
