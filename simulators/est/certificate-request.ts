import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { DerError, type DerValue, expectTag, membersOf, pem, readDer, readOid, TAG } from './der.ts';
import { type Extension, readExtensions } from './extensions.ts';
import { checkKey, curveOf, type KeyRule, STRICT_KEYS } from './key-rule.ts';
import { readName } from './name.ts';
import { EstRefusal } from './refusal.ts';
import { type RequestAttributes, readAttributes } from './request-attributes.ts';

const RSA_WITH = { sha256: '1.2.840.113549.1.1.11', sha384: '1.2.840.113549.1.1.12', sha512: '1.2.840.113549.1.1.13' };
const ECDSA_WITH = { sha256: '1.2.840.10045.4.3.2', sha384: '1.2.840.10045.4.3.3', sha512: '1.2.840.10045.4.3.4' };
const ED25519 = '1.3.101.112';

/** Digest by signature algorithm, and whether its parameters may be NULL (RFC 4055 5; RFC 5758 3.2; RFC 8410 3). */
const ALGORITHMS = new Map<string, { readonly digest: string | null; readonly withNull: 'allowed' | 'never' }>([
  ...Object.entries(RSA_WITH).map(([digest, id]) => [id, { digest, withNull: 'allowed' }] as const),
  ...Object.entries(ECDSA_WITH).map(([digest, id]) => [id, { digest, withNull: 'never' }] as const),
  [ED25519, { digest: null, withNull: 'never' }] as const,
]);

/** A PKCS#10 request (RFC 2986), its structure checked, its signature not yet. */
interface ReadRequest extends RequestAttributes {
  readonly der: Buffer;
  /** DER of the Name, as the request has it. */
  readonly subject: Buffer;
  /** DER of the SubjectPublicKeyInfo. */
  readonly spki: Buffer;
  readonly extensions: readonly Extension[];
  readonly info: Buffer;
  readonly algorithm: string;
  readonly signature: Buffer;
}

/** A request that was signed by its own key, which is strong enough. */
export interface VerifiedRequest extends ReadRequest {
  readonly publicKey: KeyObject;
}

const refuse = (message: string) => new EstRefusal(400, message);

/** The DER inside the body: base64 with any line breaks or none (RFC 8951 3.1); `Content-Transfer-Encoding` is ignored. */
function decodeBody(body: Buffer): Buffer {
  const text = body.toString('latin1').replace(/[ \t\r\n]+/g, '');
  const bytes = Buffer.from(text, 'base64');
  // what the lenient decoder read must be what came: no foreign character, whole padding, no stray bits
  if (text === '' || bytes.toString('base64') !== text) throw refuse('the body is not base64 of a PKCS#10 request');
  return bytes;
}

function readAlgorithm(value: DerValue | undefined): string {
  const [oid, parameters, more] = membersOf(expectTag(value, TAG.sequence, 'the signature algorithm'));
  const algorithm = readOid(oid);
  const known = ALGORITHMS.get(algorithm);
  if (!known) throw refuse(`the signature algorithm ${algorithm} is not taken`);
  const isNull = parameters?.tag === TAG.nothing && parameters.content.length === 0;
  if (more || (parameters && !(isNull && known.withNull === 'allowed')))
    throw new DerError('the parameters of the signature algorithm');
  return algorithm;
}

function readParts(bytes: Buffer): ReadRequest {
  const [info, algorithm, bits, beyond] = membersOf(expectTag(readDer(bytes), TAG.sequence, 'the request'));
  const [version, subject, spki, attributes, more] = membersOf(expectTag(info, TAG.sequence, 'the request info'));
  if (beyond || more) throw new DerError('members beyond the last');
  if (!expectTag(version, TAG.integer, 'the version').content.equals(Buffer.of(0)))
    throw new DerError('the version is not 0');
  readName(expectTag(subject, TAG.sequence, 'the subject').raw);
  const signature = expectTag(bits, TAG.bitString, 'the signature').content;
  if (signature[0] !== 0) throw new DerError('the signature has unused bits');
  return {
    der: bytes,
    info: info?.raw ?? bytes,
    subject: subject?.raw ?? bytes,
    spki: expectTag(spki, TAG.sequence, 'the public key').raw,
    algorithm: readAlgorithm(algorithm),
    signature: signature.subarray(1),
    ...readAttributes(attributes, readExtensions),
  };
}

/**
 * Reads the body of an enrolment without a look at its signature and key, as serverkeygen wants it (RFC 7030 4.4.1).
 *
 * @throws EstRefusal 400 that says what is wrong.
 */
export function readUnverified(body: Buffer): ReadRequest {
  const bytes = decodeBody(body);
  try {
    return readParts(bytes);
  } catch (error) {
    if (error instanceof DerError) throw refuse(`the body is not a DER PKCS#10 request: ${error.message}`);
    throw error;
  }
}

/** Keys whose signatures are verified in some 50 µs, less than the way to another thread and back costs. */
const isQuick = (publicKey: KeyObject, spki: Buffer): boolean =>
  publicKey.asymmetricKeyType === 'ed25519' ||
  (publicKey.asymmetricKeyType === 'ec' && curveOf(publicKey, spki) === 'prime256v1');

/** At once where that is quick; else on another thread, where RSA with a long modulus holds nobody up. */
function isGenuine(request: ReadRequest, publicKey: KeyObject): boolean | Promise<boolean> {
  const digest = ALGORITHMS.get(request.algorithm)?.digest ?? null;
  if (isQuick(publicKey, request.spki)) {
    try {
      return verify(digest, request.info, publicKey, request.signature);
    } catch {
      return false;
    }
  }
  return new Promise((resolve) => {
    try {
      verify(digest, request.info, publicKey, request.signature, (error, genuine) => resolve(!error && genuine));
    } catch {
      resolve(false);
    }
  });
}

/**
 * Reads the body of an enrolment and verifies the request's own signature with OpenSSL (proof of possession).
 *
 * @throws EstRefusal 400 that says what is wrong.
 */
export async function readRequest(body: Buffer, keys: KeyRule = STRICT_KEYS): Promise<VerifiedRequest> {
  const request = readUnverified(body);
  let publicKey: KeyObject;
  try {
    // as PEM: Node reads that in half the time of DER, with the same parser of OpenSSL
    publicKey = createPublicKey(pem('PUBLIC KEY', request.spki));
  } catch {
    throw refuse('the public key of the request cannot be read');
  }
  checkKey(publicKey, request.spki, keys);
  if (!(await isGenuine(request, publicKey))) throw refuse('the signature of the request does not verify');
  return { ...request, publicKey };
}
