import { constants, createHash, type KeyObject, publicEncrypt } from 'node:crypto';

const HASH_BYTES = 32;
const BLOCK_BYTES = 256;

function sha256(...parts: Uint8Array[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function xor(a: Uint8Array, b: Uint8Array): Buffer {
  return Buffer.from(a.map((byte, at) => byte ^ (b[at] ?? 0)));
}

/** MGF1 with SHA-256 (RFC 8017 B.2.1). */
function mask(seed: Uint8Array, size: number): Buffer {
  const counter = Buffer.alloc(4);
  const blocks: Buffer[] = [];
  for (let number = 0; number * HASH_BYTES < size; number++) {
    counter.writeUInt32BE(number);
    blocks.push(sha256(seed, counter));
  }
  return Buffer.concat(blocks).subarray(0, size);
}

/**
 * RSA-OAEP with SHA-256 to an RSA-2048 key (RFC 8017 7.1.1). The seed is given, so that a run can be repeated; OpenSSL draws its own.
 *
 * @param label with the NUL that a TPM counts as part of it
 * @param seed 32 random bytes
 */
export function encryptOaep(key: KeyObject, label: string, message: Uint8Array, seed: Uint8Array): Buffer {
  const padding = Buffer.alloc(BLOCK_BYTES - message.length - 2 * HASH_BYTES - 2);
  const data = Buffer.concat([sha256(Buffer.from(label)), padding, Buffer.from([1]), message]);
  const maskedData = xor(data, mask(seed, data.length));
  const maskedSeed = xor(seed, mask(maskedData, HASH_BYTES));
  const block = Buffer.concat([Buffer.alloc(1), maskedSeed, maskedData]);
  return publicEncrypt({ key, padding: constants.RSA_NO_PADDING }, block);
}
