import { createHash, createPublicKey, ECDH } from 'node:crypto';

/** A P-256 key that signs elsewhere. */
export interface RemoteEcKey {
  /** The public point in SEC1 form, compressed or not. */
  readonly point: Uint8Array;
  /** Signs a SHA-256 digest; a DER signature. */
  readonly sign: (digest: Uint8Array) => Promise<Uint8Array>;
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  if (content.length < 0x80) return Buffer.concat([Buffer.from([tag, content.length]), content]);
  const size = content.length < 0x100 ? [0x81, content.length] : [0x82, content.length >> 8, content.length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const COMMON_NAME = hex('06 03 55 04 03');
const EXTENSION_REQUEST = hex('06 09 2a 86 48 86 f7 0d 01 09 0e');
const ECDSA_WITH_SHA256 = hex('30 0a 06 08 2a 86 48 ce 3d 04 03 02');
/** basicConstraints, critical: a CA that signs leaves only. */
const CA_TRUE = hex('30 12 06 03 55 1d 13 01 01 ff 04 08 30 06 01 01 ff 02 01 00');
/** keyUsage, critical: certificate and revocation list signing. */
const SIGNS_CERTIFICATES = hex('30 0e 06 03 55 1d 0f 01 01 ff 04 04 03 02 01 06');

function publicKeyInfo(point: Uint8Array): Buffer {
  const whole = Buffer.from(ECDH.convertKey(point, 'prime256v1', undefined, undefined, 'uncompressed') as Buffer);
  const coordinate = (from: number) => whole.subarray(from, from + 32).toString('base64url');
  const jwk = { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) };
  return createPublicKey({ key: jwk, format: 'jwk' }).export({ type: 'spki', format: 'der' });
}

/**
 * A PKCS#10 request (RFC 2986) for the certificate of a certificate authority that issues leaves.
 *
 * @param commonName the whole subject
 * @returns PEM
 */
export async function requestForAuthority(commonName: string, key: RemoteEcKey): Promise<string> {
  const subject = sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(commonName, 'utf8')))));
  const extensions = sequence(EXTENSION_REQUEST, der(0x31, sequence(CA_TRUE, SIGNS_CERTIFICATES)));
  const info = sequence(hex('02 01 00'), subject, publicKeyInfo(key.point), der(0xa0, extensions));
  const signature = await key.sign(createHash('sha256').update(info).digest());
  const request = sequence(info, ECDSA_WITH_SHA256, der(0x03, hex('00'), signature));
  const lines = request.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join('\n');
}
