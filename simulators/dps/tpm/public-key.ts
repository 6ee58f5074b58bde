import { createHash, createPublicKey, type KeyObject } from 'node:crypto';

/** An RSA key of a TPM as a device shows it. */
export interface TpmPublicKey {
  /** For encryption by the key; RSA-2048, exponent 65537. */
  readonly key: KeyObject;
  /** The name of the object: algorithm of the hash, then the hash of its public area. */
  readonly name: Buffer;
}

const SIZE_BYTES = 2;
const MODULUS_BYTES = 256;
const RSA = 0x0001;
const SHA_256 = 0x000b;
const AES_128_CFB = Buffer.from('000600800043', 'hex');
/** Scheme NULL, 2048 bits, exponent 65537 by default, size of the modulus. */
const RSA_2048 = Buffer.from('0010' + '0800' + '00000000' + '0100', 'hex');
/** TPMA_OBJECT: fixedTPM, restricted, decrypt; and sign, which must be clear. */
const NEEDED = (1 << 1) | (1 << 16) | (1 << 17);
const SIGN = 1 << 18;

/**
 * Reads the TPM2B_PUBLIC of an endorsement or storage root key (TPM 2.0 Library, Part 2, 12.2.5).
 *
 * @throws TypeError saying what it is not.
 */
export function readTpmPublicKey(what: string, bytes: Buffer): TpmPublicKey {
  const refuse = (reason: string): never => {
    throw new TypeError(`the ${what} is not an RSA-2048 storage key of a TPM: ${reason}`);
  };
  if (bytes.length < SIZE_BYTES || bytes.readUInt16BE(0) !== bytes.length - SIZE_BYTES) refuse('its size is wrong');
  const area = bytes.subarray(SIZE_BYTES);
  const policySize = area.length > 10 ? area.readUInt16BE(8) : 0;
  const symmetricAt = 10 + policySize;
  const schemeAt = symmetricAt + AES_128_CFB.length;
  const modulusAt = schemeAt + RSA_2048.length;
  if (area.length !== modulusAt + MODULUS_BYTES) refuse('its public area has another length');
  if (area.readUInt16BE(0) !== RSA || area.readUInt16BE(2) !== SHA_256) refuse('it is not RSA named by SHA-256');
  const attributes = area.readUInt32BE(4);
  if ((attributes & NEEDED) !== NEEDED || (attributes & SIGN) !== 0)
    refuse('it is not fixed, restricted and for decryption');
  if (!area.subarray(symmetricAt, schemeAt).equals(AES_128_CFB)) refuse('it does not protect by AES-128-CFB');
  if (!area.subarray(schemeAt, modulusAt).equals(RSA_2048)) refuse('its RSA parameters are others');
  const n = area.subarray(modulusAt).toString('base64url');
  return { key: createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } }), name: nameOf(area) };
}

/** The name of an object from its TPMT_PUBLIC. */
export function nameOf(area: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from('000b', 'hex'), createHash('sha256').update(area).digest()]);
}
