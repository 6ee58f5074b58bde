import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { childOf, type DerNode, oidText, readDer, TAG } from './der.ts';
import { readPem, writePem } from './pem.ts';

/** A certificate as read: OpenSSL's view for every trust decision, and the exact bytes of the fields that are copied. */
export interface Certificate {
  readonly x509: X509Certificate;
  readonly der: Buffer;
  /** DER of the subject Name, encoding unchanged. */
  readonly subject: Buffer;
  /** DER of the issuer Name, encoding unchanged. */
  readonly issuer: Buffer;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** Content of the SubjectKeyIdentifier, when there is one. */
  readonly subjectKeyId: Buffer | undefined;
}

const SUBJECT_KEY_ID = '2.5.29.14';

/**
 * Reads one certificate from DER. OpenSSL and the limited reader must both accept it.
 *
 * @throws DerError or OpenSSL's error for damaged bytes.
 */
export function readCertificate(der: Uint8Array): Certificate {
  const bytes = Buffer.from(der);
  const tbs = childOf(readDer(bytes, 'certificate'), 0, TAG.sequence, 'certificate body');
  // version [0] is absent in v1 certificates
  const first = tbs.children[0]?.tag === TAG.context0 ? 1 : 0;
  const x509 = new X509Certificate(bytes);
  return {
    x509,
    der: bytes,
    issuer: Buffer.from(childOf(tbs, first + 2, TAG.sequence, 'issuer name').raw),
    subject: Buffer.from(childOf(tbs, first + 4, TAG.sequence, 'subject name').raw),
    notBefore: x509.validFromDate.getTime(),
    notAfter: x509.validToDate.getTime(),
    subjectKeyId: subjectKeyId(tbs),
  };
}

const publicKeys = new WeakMap<X509Certificate, KeyObject>();

/** The key that a certificate was made for; undefined where OpenSSL cannot read it. Read once for each certificate. */
export function publicKeyOf({ x509 }: Pick<Certificate, 'x509'>): KeyObject | undefined {
  let publicKey = publicKeys.get(x509);
  if (publicKey) return publicKey;
  try {
    publicKey = x509.publicKey;
  } catch {
    // a certificate is read without its key: an unknown algorithm, or a damaged point
    return undefined;
  }
  publicKeys.set(x509, publicKey);
  return publicKey;
}

function subjectKeyId(tbs: DerNode): Buffer | undefined {
  const list = tbs.children.find((child) => child.tag === TAG.context3)?.children[0];
  const extension = list?.children.find((entry) => oidText(entry.children[0]) === SUBJECT_KEY_ID);
  const value = extension?.children.at(-1);
  if (value?.tag !== TAG.octetString) return undefined;
  return Buffer.from(
    childOf({ ...value, children: [readDer(value.content, 'key identifier')] }, 0, TAG.octetString, 'key identifier')
      .content,
  );
}

/**
 * Reads every certificate of a PEM text, in file order; an empty list when there is none. Text between blocks is skipped.
 *
 * @throws PemError, DerError or OpenSSL's error when one of them is damaged.
 */
export function parseChain(pem: string): Certificate[] {
  return readPem(pem, ['CERTIFICATE', 'X509 CERTIFICATE']).map((block) => readCertificate(block.der));
}

/** Writes certificates as PEM in 64 columns with LF, in the order given. */
export function formatChain(chain: readonly { readonly der: Uint8Array }[]): string {
  return chain.map((certificate) => writePem('CERTIFICATE', certificate.der)).join('');
}

/** Whether `now` (milliseconds since 1970) is at or past the end of validity. */
export function isExpired(certificate: Certificate, now: number): boolean {
  return now >= certificate.notAfter;
}

/** Lower-case hex SHA-256 of the whole certificate. */
export function fingerprint(certificate: Certificate): string {
  return createHash('sha256').update(certificate.der).digest('hex');
}
