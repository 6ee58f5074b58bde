import 'reflect-metadata';
import { createHash, createPublicKey, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  Pkcs10CertificateRequest,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509';
import { type BitString, fromBER, type Sequence } from 'asn1js';

const { subtle } = webcrypto;

const PURPOSES = { clientAuth: '1.3.6.1.5.5.7.3.2', serverAuth: '1.3.6.1.5.5.7.3.1' } as const;
const SUBJECT_KEY_ID = '2.5.29.14';
const AUTHORITY_KEY_ID = '2.5.29.35';
const CONSTRAINTS = { basic: '2.5.29.19', name: '2.5.29.30', policy: '2.5.29.36', anyPolicy: '2.5.29.54' };
/** Key identifiers are the issuer's to write, constraints are for authorities. */
const NEVER_TAKEN = new Set([SUBJECT_KEY_ID, AUTHORITY_KEY_ID, ...Object.values(CONSTRAINTS)]);

/** What a certificate is to be. */
export interface CertificateWish {
  /** RFC 4514 text such as `CN=device,O=TEST`, or the DER of a Name; taken from the CSR where absent. */
  readonly subject?: string | Uint8Array;
  /** A PKCS#10 request, PEM: gives public key, and subject where none is given. */
  readonly csrPem?: string;
  /** SubjectPublicKeyInfo, PEM; in place of a request. */
  readonly publicKeyPem?: string;
  /** DNS names and IP addresses. */
  readonly sans?: readonly string[];
  readonly extendedKeyUsages?: readonly (keyof typeof PURPOSES)[];
  readonly isCa?: boolean;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  /** Seconds from notBefore, where `notAfter` is absent; default one day. */
  readonly lifetimeSeconds?: number;
  /** Take over the extensions that the request asks for, besides what only an authority may have. */
  readonly keepCsrExtensions?: boolean;
}

/** Who signs: its name as DER, its key, and the identifier of that key. */
export interface IssuingKey {
  readonly subject: Name;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const toBuffer = (bytes: Uint8Array): ArrayBuffer => new Uint8Array(bytes).buffer;

/** SHA-1 of the public key's bits, as RFC 5280 4.2.1.2 (1) makes key identifiers. */
function keyIdentifier(key: KeyObject): string {
  const spki = fromBER(toBuffer(key.export({ type: 'spki', format: 'der' }))).result as Sequence;
  const bits = spki.valueBlock.value[1] as BitString;
  return createHash('sha1').update(bits.valueBlock.valueHexView).digest('hex');
}

const signingAlgorithm = (key: KeyObject) =>
  key.asymmetricKeyType === 'rsa'
    ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
    : { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

async function signingKey(key: KeyObject): Promise<webcrypto.CryptoKey> {
  const der = toBuffer(key.export({ type: 'pkcs8', format: 'der' }));
  return subtle.importKey('pkcs8', der, signingAlgorithm(key), false, ['sign']);
}

function sanExtension(sans: readonly string[]): SubjectAlternativeNameExtension {
  const isAddress = (name: string) => /^[\d.]+$/.test(name) || name.includes(':');
  return new SubjectAlternativeNameExtension(sans.map((value) => ({ type: isAddress(value) ? 'ip' : 'dns', value })));
}

/** What the key is for; keys that cannot encrypt do not say that they may (RFC 5480 3, RFC 8410 5). */
function usageOf(wish: CertificateWish, key: KeyObject): number {
  if (wish.isCa) return KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign;
  if (key.asymmetricKeyType !== 'rsa') return KeyUsageFlags.digitalSignature;
  return KeyUsageFlags.digitalSignature | KeyUsageFlags.keyEncipherment;
}

function ownExtensions(wish: CertificateWish, key: KeyObject): Extension[] {
  const extensions: Extension[] = [
    new BasicConstraintsExtension(wish.isCa === true, undefined, true),
    new KeyUsagesExtension(usageOf(wish, key), true),
  ];
  if (wish.extendedKeyUsages) {
    extensions.push(new ExtendedKeyUsageExtension(wish.extendedKeyUsages.map((purpose) => PURPOSES[purpose])));
  }
  if (wish.sans && wish.sans.length > 0) extensions.push(sanExtension(wish.sans));
  return extensions;
}

function isAuthorityUsage(extension: Extension): boolean {
  if (!(extension instanceof KeyUsagesExtension)) return false;
  return (extension.usages & (KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign)) !== 0;
}

/** The extensions of the request that are taken over, each kind once. */
function requestExtensions(request: Pkcs10CertificateRequest, wish: CertificateWish): Extension[] {
  const byKind = new Map<string, Extension>();
  for (const extension of request.extensions) {
    const refused = NEVER_TAKEN.has(extension.type) || (isAuthorityUsage(extension) && !wish.isCa);
    if (!refused && !byKind.has(extension.type)) byKind.set(extension.type, extension);
  }
  return [...byKind.values()];
}

function subjectOf(wish: CertificateWish, request: Pkcs10CertificateRequest | undefined): Name {
  if (wish.subject === undefined) return request?.subjectName ?? new Name('CN=TEST');
  return new Name(typeof wish.subject === 'string' ? wish.subject : toBuffer(wish.subject));
}

/**
 * Issues a certificate, PEM. Serial numbers are random, positive, 16 bytes. The request's own signature is *not* judged
 * here. An issuer with the subject and the key of the wish makes it self-signed.
 *
 * @param now milliseconds since 1970, the begin of validity where the wish names none.
 */
export async function writeCertificate(wish: CertificateWish, issuer: IssuingKey, now: number): Promise<string> {
  const request = wish.csrPem === undefined ? undefined : new Pkcs10CertificateRequest(wish.csrPem);
  const spki = request ? Buffer.from(request.publicKey.rawData) : undefined;
  const publicKey = spki
    ? createPublicKey({ key: spki, format: 'der', type: 'spki' })
    : createPublicKey(wish.publicKeyPem ?? '');
  const asked = request && wish.keepCsrExtensions ? requestExtensions(request, wish) : [];
  const kinds = new Set(asked.map(({ type }) => type));
  const own = ownExtensions(wish, publicKey).filter(({ type }) => !kinds.has(type));
  const notBefore = wish.notBefore ?? new Date(Math.floor(now / 1000) * 1000);
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serial.toString('hex'),
    subject: subjectOf(wish, request),
    issuer: issuer.subject,
    notBefore,
    notAfter: wish.notAfter ?? new Date(notBefore.getTime() + (wish.lifetimeSeconds ?? 86_400) * 1000),
    publicKey: new PublicKey(toBuffer(publicKey.export({ type: 'spki', format: 'der' }))),
    signingKey: await signingKey(issuer.privateKey),
    signingAlgorithm: signingAlgorithm(issuer.privateKey),
    extensions: [
      ...own,
      ...asked,
      new SubjectKeyIdentifierExtension(keyIdentifier(publicKey)),
      new AuthorityKeyIdentifierExtension(keyIdentifier(issuer.publicKey)),
    ],
  });
  return `${certificate.toString('pem')}\n`;
}
