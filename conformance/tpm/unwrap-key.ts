import assert from 'node:assert/strict';
import { constants, createDecipheriv, createHash, createHmac, createPrivateKey, privateDecrypt } from 'node:crypto';

/** The private halves of a TPM's keys, PEM, and the name of its SRK. */
export interface TpmSecrets {
  readonly ekPrivate: string;
  readonly srkPrivate: string;
  /** Algorithm of the hash, then the hash of the public area. */
  readonly srkName: Buffer;
}

/** What a TPM takes out of a wrapped key. */
export interface Unwrapped {
  readonly key: Buffer;
  readonly seedValue: Buffer;
  readonly innerKey: Buffer;
  /** Name of the auth key. */
  readonly name: Buffer;
}

const hash = (...bytes: readonly Uint8Array[]) => createHash('sha256').update(Buffer.concat(bytes)).digest();
const SHA_256 = Buffer.from('000b', 'hex');

/** Parts bytes into structures with a size of two bytes; everything has to be used up. */
function sizedParts(bytes: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + bytes.readUInt16BE(at);
    assert.ok(end <= bytes.length, 'a structure ends too early');
    found.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return found;
}

/** KDFa of the TPM 2.0 Library, Part 1, 11.4.10.2, for up to 256 bits. */
function derive(seed: Buffer, label: string, context: Buffer, bits: number): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(bits);
  const material = Buffer.concat([Buffer.from([0, 0, 0, 1]), Buffer.from(`${label}\0`), context, size]);
  return createHmac('sha256', seed)
    .update(material)
    .digest()
    .subarray(0, bits / 8);
}

function decrypt(key: Buffer, bytes: Buffer): Buffer {
  const decipher = createDecipheriv('aes-128-cfb', key, Buffer.alloc(16));
  return Buffer.concat([decipher.update(bytes), decipher.final()]);
}

/** Opens a structure that is protected by a seed, once its HMAC is right. */
function open(wrapped: Buffer, seed: Buffer, name: Buffer): Buffer {
  const size = wrapped.readUInt16BE(0);
  const mac = wrapped.subarray(2, 2 + size);
  const encrypted = wrapped.subarray(2 + size);
  const expected = createHmac('sha256', derive(seed, 'INTEGRITY', Buffer.alloc(0), 256));
  assert.deepEqual(mac, expected.update(encrypted).update(name).digest(), 'the outer HMAC is wrong');
  return decrypt(derive(seed, 'STORAGE', name, 128), encrypted);
}

function seedFor(privateKey: string, label: string, secret: Buffer): Buffer {
  const padding = constants.RSA_PKCS1_OAEP_PADDING;
  const oaep = { padding, oaepHash: 'sha256', oaepLabel: Buffer.from(`${label}\0`) };
  return privateDecrypt({ key: createPrivateKey(privateKey), ...oaep }, secret);
}

/**
 * What a TPM does with a wrapped key, in software: ActivateCredential, then Import (spec/tpm-service.md 6).
 * @throws AssertionError for a structure, an HMAC or an integrity value that is wrong
 */
export function unwrapKey(blob: Buffer, { ekPrivate, srkPrivate, srkName }: TpmSecrets): Unwrapped {
  const [credential, credentialSecret, duplicate, duplicateSecret, area, ...more] = sizedParts(blob);
  assert.ok(credential && credentialSecret && duplicate && duplicateSecret && area && more.length === 0, 'five parts');
  const [innerKey, ...noMore] = sizedParts(open(credential, seedFor(ekPrivate, 'IDENTITY', credentialSecret), srkName));
  assert.ok(innerKey && noMore.length === 0, 'the credential holds one inner key');
  const name = Buffer.concat([SHA_256, hash(area)]);
  const inner = decrypt(innerKey, open(duplicate, seedFor(srkPrivate, 'DUPLICATE', duplicateSecret), name));
  const [integrity, sensitive] = sizedParts(inner);
  assert.ok(integrity && sensitive, 'integrity and sensitive area');
  const size = Buffer.alloc(2);
  size.writeUInt16BE(sensitive.length);
  assert.deepEqual(integrity, hash(size, sensitive, name), 'the inner integrity is wrong');
  const [authValue, seedValue, key] = sizedParts(sensitive.subarray(2));
  assert.ok(authValue && seedValue && key && authValue.length === 0, 'no auth value, a seed, a key');
  assert.deepEqual(area.subarray(-32), hash(seedValue, key), 'unique is not the hash of seed and key');
  return { key, seedValue, innerKey, name };
}
