import 'reflect-metadata';
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, webcrypto } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509';

/** Kinds of keys that are made here. */
export type KeyKind = 'ec' | 'rsa' | 'p384';

const SIGNING: Readonly<
  Record<KeyKind, { readonly name: string; readonly hash: string; readonly namedCurve?: string }>
> = {
  ec: { name: 'ECDSA', hash: 'SHA-256', namedCurve: 'P-256' },
  p384: { name: 'ECDSA', hash: 'SHA-384', namedCurve: 'P-384' },
  rsa: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
};
export const DAY_MS = 86_400_000;

/** A key with its certificate. */
export interface Holder {
  readonly certificate: X509Certificate;
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
}

/** What a certificate is to be; times relative to now. */
export interface Wish {
  /** RFC 4514 text, or the Name of a request. */
  readonly subject: string | X509Certificate['subjectName'];
  readonly publicKey: KeyObject;
  readonly fromMs?: number;
  readonly toMs?: number;
  readonly extensions?: readonly Extension[];
  /** `absent`: without the identifiers of the keys. */
  readonly identifiers?: 'absent';
}

const arrayBuffer = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer;

function kindOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): KeyKind {
  if (asymmetricKeyType === 'rsa') return 'rsa';
  return asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'p384' : 'ec';
}

/** Octets of the subjectPublicKey at the end of a SubjectPublicKeyInfo: a point, or what follows the 24 octets of an RSA key's head. */
const KEY_OCTETS: Readonly<Record<KeyKind, number>> = { ec: -65, p384: -97, rsa: 24 };

/** The octets of the subjectPublicKey bit string, hashed: what key identifiers are (RFC 5280 4.2.1.2). */
function keyIdentifier(publicKey: KeyObject): string {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha1')
    .update(spki.subarray(KEY_OCTETS[kindOf(publicKey)]))
    .digest('hex');
}

export function newKey(kind: KeyKind = 'ec'): { publicKey: KeyObject; privateKey: KeyObject } {
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 });
  return generateKeyPairSync('ec', { namedCurve: kind === 'ec' ? 'prime256v1' : 'secp384r1' });
}

const identifiersOf = (own: KeyObject, issuer: KeyObject): Extension[] => [
  new SubjectKeyIdentifierExtension(keyIdentifier(own)),
  new AuthorityKeyIdentifierExtension(keyIdentifier(issuer)),
];

/** Issues a certificate; without an issuer it is signed by `signer` and its own issuer. */
export async function issue(
  wish: Wish,
  signer: Pick<Holder, 'privateKey' | 'publicKey'> & Partial<Holder>,
): Promise<X509Certificate> {
  const now = Math.floor(Date.now() / 1000) * 1000;
  const serial = randomBytes(16);
  serial[0] = ((serial[0] ?? 0) & 0x3f) | 0x40;
  const der = signer.privateKey.export({ type: 'pkcs8', format: 'der' });
  const signingAlgorithm = SIGNING[kindOf(signer.publicKey)];
  const signingKey = await webcrypto.subtle.importKey('pkcs8', arrayBuffer(der), signingAlgorithm, false, ['sign']);
  return X509CertificateGenerator.create({
    serialNumber: serial.toString('hex'),
    subject: wish.subject,
    issuer: signer.certificate?.subjectName ?? wish.subject,
    notBefore: new Date(now + (wish.fromMs ?? 0)),
    notAfter: new Date(now + (wish.toMs ?? 90 * DAY_MS)),
    publicKey: new PublicKey(arrayBuffer(wish.publicKey.export({ type: 'spki', format: 'der' }))),
    signingKey,
    signingAlgorithm,
    extensions: [
      ...(wish.extensions ?? []),
      ...(wish.identifiers ? [] : identifiersOf(wish.publicKey, signer.publicKey)),
    ],
  });
}

/** Issues a certificate for a new key. */
export async function issueHolder(
  wish: Omit<Wish, 'publicKey'>,
  signer?: Holder,
  kind: KeyKind = 'ec',
): Promise<Holder> {
  const keys = newKey(kind);
  const certificate = await issue({ ...wish, publicKey: keys.publicKey }, signer ?? keys);
  return { certificate, ...keys };
}

/** Extensions of an authority. */
export const CA = [
  new BasicConstraintsExtension(true, undefined, true),
  new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
];
const IN_A_YEAR = { fromMs: -60_000, toMs: 365 * DAY_MS };

/** The authorities of one run; everything says TEST. */
export interface Authorities {
  readonly root: Holder;
  readonly issuing: Holder;
  readonly bootstrapCa: Holder;
  readonly server: Holder;
  readonly wrongHost: Holder;
}

/** Makes root, issuing CA, CA of the bootstrap certificates, and server certificates. */
export async function makeAuthorities(): Promise<Authorities> {
  const root = await issueHolder({ subject: 'CN=TEST root', extensions: CA, ...IN_A_YEAR });
  const issuing = await issueHolder({ subject: 'CN=TEST issuing', extensions: CA, ...IN_A_YEAR }, root);
  const bootstrapCa = await issueHolder({ subject: 'CN=TEST bootstrap-ca', extensions: CA, ...IN_A_YEAR });
  const named = (...names: { type: 'dns' | 'ip'; value: string }[]) => [new SubjectAlternativeNameExtension(names)];
  const good = named({ type: 'dns', value: 'localhost' }, { type: 'ip', value: '127.0.0.1' });
  const server = await issueHolder({ subject: 'CN=TEST server', extensions: good, ...IN_A_YEAR }, issuing);
  const bad = named({ type: 'dns', value: 'elsewhere.example' });
  const wrongHost = await issueHolder({ subject: 'CN=TEST wrong host', extensions: bad, ...IN_A_YEAR }, issuing);
  return { root, issuing, bootstrapCa, server, wrongHost };
}

/** A name of one attribute after the other, each a UTF8String. */
export const utf8Name = (parts: readonly Readonly<Record<string, string>>[]): Name =>
  new Name(
    parts.map((part) => Object.fromEntries(Object.entries(part).map(([type, utf8String]) => [type, [{ utf8String }]]))),
  );

/** PEM of certificates in the order given. */
export const pemOf = (...certificates: readonly X509Certificate[]): string =>
  certificates.map((certificate) => `${certificate.toString('pem')}\n`).join('');

/** PKCS#8 PEM of the private key. */
export const privatePem = ({ privateKey }: Pick<Holder, 'privateKey'>): string =>
  privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
