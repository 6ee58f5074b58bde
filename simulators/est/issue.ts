import { generateKeyPairSync, type KeyObject, type X509Certificate } from 'node:crypto';
import { type Issuer, spkiOf, subjectAndKey, type WrittenCertificate, writeCertificate } from './certificate.ts';
import { DerError, membersOf, readDer } from './der.ts';
import {
  basicConstraints,
  EXTENSION,
  type Extension,
  isAuthorityUsage,
  keyUsage,
  purposes,
  readExtensions,
  readPurposes,
} from './extensions.ts';
import { commonNamesOf, isSameName, markForTests } from './name.ts';
import type { IssuancePolicy } from './profile.ts';
import { PURPOSES, type PurposeName } from './purposes.ts';
import { EstRefusal } from './refusal.ts';
import type { ChangedNames } from './request-attributes.ts';

const DIGITAL_SIGNATURE = 0x80;
const KEY_ENCIPHERMENT = 0x20;
const CERTIFICATE_AND_CRL_SIGNING = 0x06;

/** Key identifiers are the issuer's to write, constraints are for authorities. */
const NEVER_TAKEN: ReadonlySet<string> = new Set([
  EXTENSION.subjectKeyIdentifier,
  EXTENSION.authorityKeyIdentifier,
  EXTENSION.basicConstraints,
  EXTENSION.nameConstraints,
  EXTENSION.policyConstraints,
  EXTENSION.inhibitAnyPolicy,
]);

/** What a certificate is asked for: names and extensions of the request, and the key to certify. DER. */
export interface CertificateWish {
  readonly subject: Buffer;
  readonly extensions: readonly Extension[];
  readonly changedNames: ChangedNames | undefined;
  readonly spki: Buffer;
  readonly keyType: 'rsa' | 'other';
}

/** How the authority issues. */
export interface IssuingRule {
  readonly issuer: Issuer;
  readonly policy: Omit<IssuancePolicy, 'keys'>;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** For the request's own key, or for another one, as a server that mixes answers up would. */
  readonly key: 'own' | 'foreign';
}

export const keyTypeOf = (key: KeyObject): CertificateWish['keyType'] =>
  key.asymmetricKeyType === 'rsa' ? 'rsa' : 'other';

function strangeKey(): Buffer {
  return spkiOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey);
}

const purposeOids = (names: readonly PurposeName[]): string[] => names.map((name) => PURPOSES[name]);

/** The extensions of the request that are taken over, each kind once. */
function askedExtensions(wish: CertificateWish): Map<string, Extension> {
  const byKind = new Map<string, Extension>();
  for (const extension of wish.extensions) {
    const { type, value } = extension;
    const refused = NEVER_TAKEN.has(type) || (type === EXTENSION.keyUsage && isAuthorityUsage(value));
    if (!refused && !byKind.has(type)) byKind.set(type, extension);
  }
  const names = wish.changedNames?.alternativeNames;
  if (names) {
    const type = EXTENSION.subjectAlternativeName;
    byKind.set(type, { type, critical: false, value: names });
  }
  return byKind;
}

function checkPurposes(asked: Extension | undefined, { allowedPurposes }: IssuingRule['policy']): void {
  if (!asked || !allowedPurposes) return;
  const allowed = purposeOids(allowedPurposes);
  const odd = readPurposes(asked.value).find((purpose) => !allowed.includes(purpose));
  if (odd !== undefined)
    throw new EstRefusal(
      400,
      `certificates for the purpose ${odd} are not issued here; use ${allowedPurposes.join(', ')}`,
    );
}

function extensionsFor(wish: CertificateWish, policy: IssuingRule['policy']): Extension[] {
  const asked = askedExtensions(wish);
  checkPurposes(asked.get(EXTENSION.extendedKeyUsage), policy);
  if (policy.authority) {
    asked.delete(EXTENSION.keyUsage);
    asked.delete(EXTENSION.extendedKeyUsage);
    const role = basicConstraints('authority', policy.authority.pathLength);
    return [role, keyUsage(CERTIFICATE_AND_CRL_SIGNING), ...asked.values()];
  }
  const usage = DIGITAL_SIGNATURE | (wish.keyType === 'rsa' ? KEY_ENCIPHERMENT : 0);
  const own = [
    basicConstraints('end-entity'),
    keyUsage(usage),
    purposes(purposeOids(policy.defaultPurposes ?? ['clientAuth'])),
  ];
  return [...own.filter(({ type }) => !asked.has(type)), ...asked.values()];
}

/**
 * Issues for the request: its subject and extensions, for TLS clients unless it or the policy says otherwise, an authority only where the
 * policy is for those; never beyond the life of the issuer.
 *
 * @throws EstRefusal 400 for a purpose that the policy does not allow, 503 where the issuer's certificate has expired
 */
export function issueFor(wish: CertificateWish, rule: IssuingRule): WrittenCertificate {
  const { issuer, policy, key } = rule;
  const notAfter = new Date(Math.min(rule.notAfter.getTime(), issuer.notAfter));
  if (rule.notBefore.getTime() >= issuer.notAfter) throw new EstRefusal(503, 'the issuing authority has expired');
  return writeCertificate(
    {
      subject: markForTests(wish.changedNames?.subject ?? wish.subject),
      spki: key === 'own' ? wish.spki : strangeKey(),
      notBefore: rule.notBefore,
      notAfter,
      extensions: extensionsFor(wish, policy),
    },
    issuer,
  );
}

function extensionsOf(certificate: Buffer): Extension[] {
  const [tbs] = membersOf(readDer(certificate));
  const wrapped = (tbs ? membersOf(tbs) : []).find(({ tag }) => tag === 0xa3);
  return wrapped ? readExtensions(membersOf(wrapped)[0]) : [];
}

const alternativeNamesOf = (extensions: readonly Extension[]): string =>
  extensions.find(({ type }) => type === EXTENSION.subjectAlternativeName)?.value.toString('hex') ?? '';

/**
 * A re-enrolment must be for the very name of the certificate that asks for it: same subject, same subjectAltName
 * (RFC 7030 4.2.2); other names are asked for by changeSubjectName. The mark of this server counts as part of the request's subject.
 *
 * @throws EstRefusal 403 where there is no certificate or renaming is not allowed, 400 where the names differ.
 */
export function checkReenrolment(
  request: Pick<CertificateWish, 'subject' | 'extensions' | 'changedNames'>,
  leaf: X509Certificate | undefined,
  renaming: 'allowed' | 'refused' = 'allowed',
): void {
  if (!leaf) throw new EstRefusal(403, 're-enrolment needs the client certificate that is to be renewed');
  if (request.changedNames && renaming === 'refused') throw new EstRefusal(403, 'names are not changed here');
  const raw = Buffer.from(leaf.raw);
  if (!isSameName(markForTests(request.subject), subjectAndKey(raw).subject)) {
    throw new EstRefusal(400, 'the subject of the request is not that of the client certificate');
  }
  let held: Extension[] = [];
  try {
    held = extensionsOf(raw);
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    throw new EstRefusal(400, `the extensions of the client certificate cannot be read: ${error.message}`);
  }
  if (alternativeNamesOf(request.extensions) !== alternativeNamesOf(held)) {
    throw new EstRefusal(400, 'the subjectAltName of the request is not that of the client certificate');
  }
}

/**
 * Where the policy asks for it, the common name must be one of the names that the caller proved.
 *
 * @throws EstRefusal 403
 */
export function checkSubject(subject: Buffer, rule: IssuancePolicy['subject'], names: readonly string[]): void {
  if (rule !== 'principal') return;
  const asked = commonNamesOf(subject);
  if (asked.length !== 1 || !names.includes(asked[0] ?? ''))
    throw new EstRefusal(403, 'the common name of the request is not the name that was proved');
}
