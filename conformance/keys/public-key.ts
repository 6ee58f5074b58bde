import { createPublicKey, ECDH, type KeyObject } from 'node:crypto';

/** The public key of a compressed P-256 point, as keyd gives it (`ec-point`, base64). */
export function p256Key(point: string): KeyObject {
  const whole = Buffer.from(String(ECDH.convertKey(point, 'prime256v1', 'base64', 'hex', 'uncompressed')), 'hex');
  const coordinate = (from: number) => whole.subarray(from, from + 32).toString('base64url');
  return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: coordinate(1), y: coordinate(33) }, format: 'jwk' });
}

/** The public key of an RSA modulus and exponent, as keyd gives them (base64, big-endian). */
export function rsaKey(modulus: string, exponent: string): KeyObject {
  const url = (text: string) => Buffer.from(text, 'base64').toString('base64url');
  return createPublicKey({ key: { kty: 'RSA', n: url(modulus), e: url(exponent) }, format: 'jwk' });
}
