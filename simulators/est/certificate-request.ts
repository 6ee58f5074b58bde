import 'reflect-metadata';
import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import { type Extension, Pkcs10CertificateRequest } from '@peculiar/x509';
import { type BaseBlock, BitString, fromBER, ObjectIdentifier, Sequence } from 'asn1js';
import { EstRefusal } from './refusal.ts';

const DIGEST_OF: Readonly<Record<string, string | null>> = {
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  '1.3.101.112': null,
};
const CURVES = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const SHORTEST_RSA_BITS = 2048;

/** A PKCS#10 request that was signed by its own key. */
export interface VerifiedRequest {
  readonly der: Buffer;
  readonly pem: string;
  /** DER of the Name, as the request has it. */
  readonly subject: Buffer;
  readonly extensions: readonly Extension[];
  readonly publicKey: KeyObject;
}

const refuse = (message: string) => new EstRefusal(400, message);

/** The DER inside the body: base64 with any line breaks or none (RFC 8951 3.1); `Content-Transfer-Encoding` is ignored. */
function decodeBody(body: Buffer): Buffer {
  const text = body.toString('latin1').replace(/[ \t\r\n]+/g, '');
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) {
    throw refuse('the body is not base64 of a PKCS#10 request');
  }
  return Buffer.from(text, 'base64');
}

function checkStrength(key: KeyObject): void {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key;
  if (type === 'rsa' && (details?.modulusLength ?? 0) < SHORTEST_RSA_BITS)
    throw refuse(`RSA keys need at least ${SHORTEST_RSA_BITS} bits`);
  if (type === 'ec' && !CURVES.has(details?.namedCurve ?? '')) throw refuse('EC keys must be on P-256, P-384 or P-521');
  if (type !== 'rsa' && type !== 'ec' && type !== 'ed25519') throw refuse(`keys of type ${type} are not certified`);
}

/** Undefined where the bytes are no DER, or more than one value. */
function derOf(bytes: Buffer): unknown {
  try {
    const { result, offset } = fromBER(new Uint8Array(bytes).buffer);
    return offset === bytes.length ? result : undefined;
  } catch {
    return undefined;
  }
}

const rawOf = (value: BaseBlock): Buffer => Buffer.from(value.valueBeforeDecodeView);

/** A SEQUENCE around the content, with the one length that DER allows. */
function sequenceAround(content: Buffer): Buffer {
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.of(0x30, ...length), content]);
}

const membersOf = (value: unknown): BaseBlock[] => (value instanceof Sequence ? value.valueBlock.value : []);

const isExact = (members: readonly BaseBlock[], der: Buffer): boolean =>
  sequenceAround(Buffer.concat(members.map(rawOf))).equals(der);

interface RequestParts {
  readonly info: Buffer;
  readonly spki: Buffer;
  readonly algorithm: string;
  readonly signature: Buffer;
}

/** The parts of a CertificationRequest (RFC 2986 4.2); the reader is lenient, so what it read must be the bytes that came. */
function parts(der: Buffer): RequestParts {
  const outer = derOf(der);
  const members = membersOf(outer);
  const [info, algorithm, signature] = members;
  const spki = membersOf(info)[2];
  const [oid] = membersOf(algorithm);
  if (
    !info ||
    !algorithm ||
    !spki ||
    !(oid instanceof ObjectIdentifier) ||
    !(signature instanceof BitString) ||
    members.length !== 3
  ) {
    throw refuse('the body is not a PKCS#10 request');
  }
  if (
    signature.valueBlock.unusedBits !== 0 ||
    !isExact(members, der) ||
    !isExact(membersOf(algorithm), rawOf(algorithm))
  ) {
    throw refuse('the PKCS#10 request is not DER');
  }
  const bits = Buffer.from(signature.valueBlock.valueHexView);
  return { info: rawOf(info), spki: rawOf(spki), algorithm: oid.valueBlock.toString(), signature: bits };
}

function subjectAndExtensions(pem: string): { subject: Buffer; extensions: readonly Extension[] } {
  try {
    const { subjectName, extensions } = new Pkcs10CertificateRequest(pem);
    return { subject: Buffer.from(subjectName.toArrayBuffer()), extensions };
  } catch {
    throw refuse('the subject or the attributes of the request cannot be read');
  }
}

/**
 * Reads the body of an enrolment and verifies the request's own signature with OpenSSL (proof of possession).
 *
 * @throws EstRefusal 400 that says what is wrong.
 */
export function readRequest(body: Buffer): VerifiedRequest {
  const der = decodeBody(body);
  const { info, spki, algorithm, signature } = parts(der);
  if (!Object.hasOwn(DIGEST_OF, algorithm)) throw refuse(`the signature algorithm ${algorithm} is not taken`);
  let publicKey: KeyObject;
  try {
    publicKey = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    throw refuse('the public key of the request cannot be read');
  }
  checkStrength(publicKey);
  let genuine = false;
  try {
    genuine = verify(DIGEST_OF[algorithm] ?? null, info, publicKey, signature);
  } catch {
    genuine = false;
  }
  if (!genuine) throw refuse('the signature of the request does not verify');
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  const pem = `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`;
  return { der, pem, publicKey, ...subjectAndExtensions(pem) };
}
