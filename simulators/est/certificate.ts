import { createPublicKey, hash, type KeyObject, randomBytes, sign, type X509Certificate } from 'node:crypto';
import { bits, integer, membersOf, nothing, oid, readDer, sequence, tagged, time } from './der.ts';
import { authorityKeyIdentifier, type Extension, subjectKeyIdentifier, writeExtension } from './extensions.ts';

const SERIAL_BYTES = 16;
const VERSION_3 = tagged(0, integer(2));
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const RSA_SHA256 = sequence(oid('1.2.840.113549.1.1.11'), nothing());

/** Who signs: its certificate, name as DER, key, and identifier of that key. */
export interface Issuer {
  readonly certificate: Buffer;
  readonly subject: Buffer;
  readonly spki: Buffer;
  readonly privateKey: KeyObject;
  readonly keyId: Buffer;
  readonly notAfter: number;
}

/** What a certificate is to be; subject and key as DER. */
export interface CertificatePlan {
  readonly subject: Buffer;
  readonly spki: Buffer;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Besides the two key identifiers, which every certificate gets. */
  readonly extensions: readonly Extension[];
}

/** A certificate that was made: DER, and its serial number in upper-case hex as OpenSSL prints it. */
export interface WrittenCertificate {
  readonly der: Buffer;
  readonly serial: string;
}

/** SHA-1 of the public key's bits (RFC 5280 4.2.1.2 (1)). */
export function keyIdentifierOf(spki: Buffer): Buffer {
  const bitString = membersOf(readDer(spki))[1];
  return hash('sha1', bitString?.content.subarray(1) ?? spki, 'buffer');
}

export const spkiOf = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

/** Subject and public key of a certificate that OpenSSL has parsed. */
export function subjectAndKey(certificate: Buffer): { readonly subject: Buffer; readonly spki: Buffer } {
  const [tbs] = membersOf(readDer(certificate));
  const members = tbs ? membersOf(tbs) : [];
  const withoutVersion = members[0]?.tag === 0xa0 ? members.slice(1) : members;
  const [, , , , subject, spki] = withoutVersion;
  if (!subject || !spki) throw new Error('a certificate without subject or key');
  return { subject: subject.raw, spki: spki.raw };
}

/** Issuer and serial number of a certificate, as CMS names it (RFC 5652 10.2.4). */
export function issuerAndSerial(certificate: Buffer): Buffer {
  const [tbs] = membersOf(readDer(certificate));
  const members = tbs ? membersOf(tbs) : [];
  const withoutVersion = members[0]?.tag === 0xa0 ? members.slice(1) : members;
  const [serial, , issuer] = withoutVersion;
  if (!serial || !issuer) throw new Error('a certificate without issuer');
  return sequence(issuer.raw, serial.raw);
}

/** An issuer from its certificate and key. */
export function issuerOf(certificate: X509Certificate, privateKey: KeyObject): Issuer {
  const raw = Buffer.from(certificate.raw);
  const { subject, spki } = subjectAndKey(raw);
  return {
    certificate: raw,
    subject,
    spki,
    privateKey,
    keyId: keyIdentifierOf(spki),
    notAfter: certificate.validToDate.getTime(),
  };
}

const algorithmOf = (key: KeyObject): Buffer => (key.asymmetricKeyType === 'rsa' ? RSA_SHA256 : ECDSA_SHA256);

/** SEQUENCE { content, algorithm, signature }, as certificates and CRLs are signed, with SHA-256. */
export function signed(key: KeyObject, content: (algorithm: Buffer) => Buffer): Buffer {
  const algorithm = algorithmOf(key);
  const body = content(algorithm);
  return sequence(body, algorithm, bits(sign('sha256', body, key)));
}

/** A random serial number, positive and never with a leading zero (RFC 5280 4.1.2.2). */
function newSerial(): Buffer {
  const serial = randomBytes(SERIAL_BYTES);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  return serial;
}

/** Makes a certificate (RFC 5280 4.1). */
export function writeCertificate(plan: CertificatePlan, issuer: Issuer): WrittenCertificate {
  const serial = newSerial();
  const extensions = [
    ...plan.extensions,
    subjectKeyIdentifier(keyIdentifierOf(plan.spki)),
    authorityKeyIdentifier(issuer.keyId),
  ];
  const der = signed(issuer.privateKey, (algorithm) =>
    sequence(
      VERSION_3,
      integer(serial),
      algorithm,
      issuer.subject,
      sequence(time(plan.notBefore), time(plan.notAfter)),
      plan.subject,
      plan.spki,
      tagged(3, sequence(...extensions.map(writeExtension))),
    ),
  );
  return { der, serial: serial.toString('hex').toUpperCase() };
}

/** Public half of a key as SubjectPublicKeyInfo, DER. */
export const publicHalf = (privateKey: KeyObject): Buffer => spkiOf(createPublicKey(privateKey));
