import { DerError, type DerNode, oidText, readDer, TAG } from './der.ts';
import { type PemBlock, readPem } from './pem.ts';

/** Why a PKCS#7 answer cannot be used. */
export type Pkcs7Fault = 'not-pkcs7' | 'not-signed-data' | 'no-certificates';

/** Raised by {@link readCertsOnlyPkcs7}. */
export class Pkcs7Error extends Error {
  override readonly name = 'Pkcs7Error';
  readonly fault: Pkcs7Fault;

  constructor(fault: Pkcs7Fault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const BASE64_TEXT = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/**
 * Takes the certificates out of a PKCS#7 signedData, in the order of its SET (RFC 7030 4.1.3, RFC 8951): binary DER, strict base64 with any
 * white space, or PEM `PKCS7`. The message's own signatures mean nothing and are not looked at.
 *
 * @returns DER of each certificate; never empty.
 * @throws Pkcs7Error `not-pkcs7` (damaged), `not-signed-data` (another content type), `no-certificates` (none inside).
 */
export function readCertsOnlyPkcs7(body: Uint8Array): Buffer[] {
  const root = readRoot(body);
  if (oidText(root.children[0]) !== SIGNED_DATA)
    throw new Pkcs7Error('not-signed-data', 'PKCS#7 content is not signedData');
  const signedData = root.children[1]?.tag === TAG.context0 ? root.children[1].children[0] : undefined;
  const set = signedData?.children.find((child) => child.tag === TAG.context0);
  const certificates = (set?.children ?? [])
    .filter((child) => child.tag === TAG.sequence)
    .map((child) => Buffer.from(child.raw));
  if (certificates.length === 0) throw new Pkcs7Error('no-certificates', 'PKCS#7 signedData holds no certificate');
  return certificates;
}

function readRoot(body: Uint8Array): DerNode {
  try {
    return readDer(toDer(Buffer.from(body)), 'PKCS#7 message');
  } catch (error) {
    if (error instanceof Pkcs7Error || !(error instanceof DerError)) throw error;
    throw new Pkcs7Error('not-pkcs7', error.message, { cause: error });
  }
}

function toDer(body: Buffer): Buffer {
  // base64 of a SEQUENCE starts with "M", so the octet 0x30 can only be binary DER
  if (body[0] === TAG.sequence) return body;
  const text = body.toString('latin1');
  if (text.includes('-----BEGIN')) return pemBlock(text).der;
  const compact = text.replace(/\s/g, '');
  if (compact === '' || !BASE64_TEXT.test(compact))
    throw new Pkcs7Error('not-pkcs7', 'body is neither DER nor strict base64 nor PEM "PKCS7"');
  return Buffer.from(compact, 'base64');
}

function pemBlock(text: string): PemBlock {
  try {
    const [block] = readPem(text, ['PKCS7', 'PKCS #7 SIGNED DATA', 'CMS']);
    if (block) return block;
  } catch (error) {
    throw new Pkcs7Error('not-pkcs7', 'PEM block of the body is damaged', { cause: error });
  }
  throw new Pkcs7Error('not-pkcs7', 'body has no PEM block "PKCS7"');
}
