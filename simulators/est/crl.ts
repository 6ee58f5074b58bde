import { type Issuer, signed } from './certificate.ts';
import { der, integer, oid, sequence, TAG, tagged, time } from './der.ts';
import { authorityKeyIdentifier, EXTENSION, writeExtension } from './extensions.ts';

const REASON_CODE = oid('2.5.29.21');

/** Reasons of RFC 5280 5.3.1 that this server gives. */
const REVOCATION_REASONS = {
  unspecified: 0,
  keyCompromise: 1,
  cACompromise: 2,
  affiliationChanged: 3,
  superseded: 4,
  cessationOfOperation: 5,
  privilegeWithdrawn: 9,
} as const;
export type RevocationReason = keyof typeof REVOCATION_REASONS;

/** A certificate that holds no more. */
export interface Revocation {
  /** Upper-case hex. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly reason: RevocationReason;
}

function entry({ serial, time: at, reason }: Revocation): Buffer {
  const number = integer(Buffer.from(serial, 'hex'));
  if (reason === 'unspecified') return sequence(number, time(new Date(at)));
  const code = der(TAG.enumerated, Buffer.of(REVOCATION_REASONS[reason]));
  return sequence(number, time(new Date(at)), sequence(sequence(REASON_CODE, der(TAG.octetString, code))));
}

/** What a revocation list is made of. */
export interface CrlPlan {
  readonly revocations: readonly Revocation[];
  readonly number: number;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly nextUpdate: number;
}

/** A version 2 CRL, DER (RFC 5280 5.1). */
export function writeCrl({ revocations, number, now, nextUpdate }: CrlPlan, issuer: Issuer): Buffer {
  const list = revocations.length > 0 ? [sequence(...revocations.map(entry))] : [];
  const extensions = [
    authorityKeyIdentifier(issuer.keyId),
    { type: EXTENSION.crlNumber, critical: false, value: integer(number) },
  ];
  return signed(issuer.privateKey, (algorithm) =>
    sequence(
      integer(1),
      algorithm,
      issuer.subject,
      time(new Date(now)),
      time(new Date(nextUpdate)),
      ...list,
      tagged(0, sequence(...extensions.map(writeExtension))),
    ),
  );
}
