import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { bits, element, integer, NULL, octets, oid, sequence, set, TRUE, utf8 } from './der.ts';

const SHA256_WITH_RSA = sequence(oid('1.2.840.113549.1.1.11'), NULL);
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'), NULL);
export const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2';
export const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** A signer whose key may live elsewhere: it gets the bytes and gives an RSA signature over their SHA-256. */
export type Signer = (bytes: Buffer) => Promise<Buffer> | Buffer;

/** The 51 bytes that PKCS#1 v1.5 pads for a SHA-256 signature (RFC 8017, 9.2). */
export function digestInfo(bytes: Uint8Array): Buffer {
  return sequence(SHA256, octets(createHash('sha256').update(bytes).digest()));
}

/** SubjectPublicKeyInfo of an RSA key, from big-endian modulus and exponent. */
export function rsaPublicKey(modulus: Uint8Array, exponent: Uint8Array): Buffer {
  const key = sequence(integer(modulus), integer(exponent));
  return sequence(sequence(oid('1.2.840.113549.1.1.1'), NULL), bits(key));
}

/** Critical digitalSignature + keyCertSign, critical CA with path length 0: what the edge CA asks for. */
export const CA_EXTENSIONS: readonly Buffer[] = [
  sequence(oid('2.5.29.15'), TRUE, octets(bits(Buffer.of(0x84), 2))),
  sequence(oid('2.5.29.19'), TRUE, octets(sequence(TRUE, integer(Buffer.of(0))))),
];

export function extendedKeyUsage(purpose: string): Buffer {
  return sequence(oid('2.5.29.37'), octets(sequence(oid(purpose))));
}

/** Names as the daemon writes them: an address as iPAddress, any other text (a URI too) as dNSName. */
export function alternativeNames(names: readonly string[]): Buffer {
  const general = names.map((name) =>
    isIP(name) === 4
      ? element(0x87, Buffer.from(name.split('.').map(Number)))
      : element(0x82, Buffer.from(name, 'latin1')),
  );
  return sequence(oid('2.5.29.17'), octets(sequence(...general)));
}

export interface RequestParts {
  readonly commonName: string;
  readonly publicKey: Buffer;
  readonly extensions: readonly Buffer[];
  readonly sign: Signer;
}

/** A PKCS#10 request (RFC 2986), version 0, signed with SHA-256 and RSA. PEM. */
export async function certificateRequest(parts: RequestParts): Promise<string> {
  const subject = sequence(set(sequence(oid('2.5.4.3'), utf8(parts.commonName))));
  const wanted = sequence(oid('1.2.840.113549.1.9.14'), set(sequence(...parts.extensions)));
  const info = sequence(integer(Buffer.of(0)), subject, parts.publicKey, element(0xa0, wanted));
  const whole = sequence(info, SHA256_WITH_RSA, bits(await parts.sign(info)));
  const lines = whole.toString('base64').replace(/(.{64})(?=.)/g, '$1\n');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines}\n-----END CERTIFICATE REQUEST-----\n`;
}
