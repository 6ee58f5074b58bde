import { createHash, X509Certificate } from 'node:crypto';
import { type Certificate, publicKeyOf } from './certificate.ts';
import { encodeExtension } from './csr-create.ts';
import type { CertificateRequest, RawExtension } from './csr-parse.ts';
import { bitString, octetString, readDer, sequence, TAG, unsignedInteger, wrap } from './der.ts';
import { algorithmIdentifier, type X509Signer } from './signer.ts';

/** Raised when a certificate must not or cannot be issued; the message is for the operator's log. */
export class IssueError extends Error {
  override readonly name = 'IssueError';
}

export interface IssueRequest {
  readonly csr: CertificateRequest;
  /** DER of the subject Name; default: the request's, encoding unchanged. */
  readonly subject?: Uint8Array;
  /** Certificates of the issuer, its own first; empty for a self-signed certificate. */
  readonly issuerChain: readonly Certificate[];
  readonly signer: X509Signer;
  /** Milliseconds since 1970; cut to whole seconds. */
  readonly now: number;
  readonly lifetimeSeconds: number;
  /** 16 random octets or more, at most 20, from a source fit for keys. */
  readonly serial: Uint8Array;
}

/** A new certificate. */
export type IssuedCertificate = Pick<Certificate, 'der' | 'x509'>;

const SUBJECT_KEY_ID = '2.5.29.14';
const AUTHORITY_KEY_ID = '2.5.29.35';
const LAST_TIME_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

/**
 * Issues an X.509 v3 certificate (spec/certificates-service.md 6.1): the request's extensions in order, then SubjectKeyIdentifier and
 * AuthorityKeyIdentifier where missing; ends no later than the issuer; random positive serial number. An AuthorityKeyIdentifier of the
 * request that does not name the issuer's key is replaced.
 *
 * @throws IssueError when the issuer has expired, is not yet valid in reverse order, its key is not the signer's, or the end of validity
 *   is past the year 9999; whatever the signer rejects with.
 */
export async function issueCertificate(request: IssueRequest): Promise<IssuedCertificate> {
  const { csr, signer } = request;
  const [issuer] = request.issuerChain;
  if (issuer && !publicKeyOf(issuer)?.equals(signer.publicKey)) {
    throw new IssueError(
      'the signing key does not belong to the issuer certificate; name the key that the certificate was made for',
    );
  }
  const subject = request.subject ?? csr.subject;
  const algorithm = algorithmIdentifier(signer.signatureAlgorithm);
  const tbs = sequence(
    wrap(TAG.context0, unsignedInteger(Buffer.of(2))),
    serialNumber(request.serial),
    algorithm,
    issuer?.subject ?? subject,
    validity(request, issuer),
    subject,
    csr.publicKeyInfo,
    wrap(TAG.context3, sequence(...extensions(csr, issuer))),
  );
  const signature = await signer.sign(tbs);
  const der = sequence(tbs, algorithm, bitString(signature));
  // OpenSSL has to be able to read what is handed out
  return { der, x509: new X509Certificate(der) };
}

function serialNumber(random: Uint8Array): Buffer {
  if (random.length < 8 || random.length > 20) throw new IssueError('a serial number needs 8 to 20 random octets');
  const octets = Buffer.from(random);
  // top bit clear: positive; next bit set: never zero and always of full length
  octets[0] = ((octets[0] ?? 0) & 0x7f) | 0x40;
  return unsignedInteger(octets);
}

function validity({ now, lifetimeSeconds }: IssueRequest, issuer: Certificate | undefined): Buffer {
  const notBefore = Math.floor(now / 1000) * 1000;
  const wanted = notBefore + lifetimeSeconds * 1000;
  const notAfter = issuer ? Math.min(wanted, issuer.notAfter) : wanted;
  if (issuer && issuer.notAfter <= notBefore) {
    throw new IssueError(`the issuer certificate expired ${new Date(issuer.notAfter).toISOString()}; renew it first`);
  }
  if (notAfter > LAST_TIME_MS) throw new IssueError('validity would end after the year 9999; lower expiry_days');
  return sequence(time(notBefore), time(notAfter));
}

/** UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5). */
function time(milliseconds: number): Buffer {
  const digits = `${new Date(milliseconds).toISOString().replace(/\D/g, '').slice(0, 14)}Z`;
  const year = Number(digits.slice(0, 4));
  return year >= 1950 && year < 2050 ? wrap(0x17, Buffer.from(digits.slice(2))) : wrap(0x18, Buffer.from(digits));
}

function extensions(csr: CertificateRequest, issuer: Certificate | undefined): Buffer[] {
  const own = csr.extensions.find((extension) => extension.oid === SUBJECT_KEY_ID);
  const keyId = createHash('sha1').update(csr.publicKeyBits).digest();
  const signerKeyId = issuer ? issuer.subjectKeyId : own ? keyIdInside(own) : keyId;
  const kept = csr.extensions.filter(
    (extension) => extension.oid !== AUTHORITY_KEY_ID || names(extension, signerKeyId),
  );
  const list = kept.map((extension) => extension.der);
  if (!own) list.push(encodeExtension({ oid: SUBJECT_KEY_ID, value: octetString(keyId) }));
  if (issuer?.subjectKeyId && !kept.some((extension) => extension.oid === AUTHORITY_KEY_ID)) {
    list.push(encodeExtension({ oid: AUTHORITY_KEY_ID, value: sequence(wrap(0x80, issuer.subjectKeyId)) }));
  }
  return list;
}

function keyIdInside(extension: RawExtension): Buffer | undefined {
  try {
    return Buffer.from(readDer(extension.value, 'key identifier').content);
  } catch {
    return undefined;
  }
}

/** Whether an AuthorityKeyIdentifier says exactly this key identifier and nothing besides. */
function names(extension: RawExtension, keyId: Buffer | undefined): boolean {
  return keyId !== undefined && extension.value.equals(sequence(wrap(0x80, keyId)));
}
