import { createCipheriv, createHmac } from 'node:crypto';

/** A TPM2B: a 16-bit size, then the bytes. */
export function sized(bytes: Uint8Array): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(bytes.length);
  return Buffer.concat([size, bytes]);
}

/** AES-128-CFB from a zero IV, as TPMs protect structures. */
export function encryptCfb(key: Uint8Array, bytes: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-128-cfb', key, Buffer.alloc(16));
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}

/** KDFa with SHA-256 (TPM 2.0 Library, Part 1, 11.4.10.2) for at most 256 bits; `context` is party U, V is empty. */
function deriveKey(seed: Uint8Array, label: string, context: Uint8Array, bits: 128 | 256): Buffer {
  const number = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const hmac = createHmac('sha256', seed).update(number(1)).update(`${label}\0`, 'latin1').update(context);
  return hmac
    .update(number(bits))
    .digest()
    .subarray(0, bits / 8);
}

/**
 * Outer protection (TPM 2.0 Library, Part 1, 23.3.2.3): encrypted, then an HMAC in front, both by keys from `seed` and bound to the name
 * of an object.
 */
export function protect(seed: Uint8Array, name: Uint8Array, content: Uint8Array): Buffer {
  const encrypted = encryptCfb(deriveKey(seed, 'STORAGE', name, 128), content);
  const integrity = deriveKey(seed, 'INTEGRITY', Buffer.alloc(0), 256);
  return Buffer.concat([sized(createHmac('sha256', integrity).update(encrypted).update(name).digest()), encrypted]);
}
