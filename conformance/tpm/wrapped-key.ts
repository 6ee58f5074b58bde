import {
  constants,
  createCipheriv,
  createHash,
  createHmac,
  createPublicKey,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';

/** The public areas of a TPM, TPM2B_PUBLIC each, as tpmd gives them. */
export interface TpmKeys {
  readonly endorsementKey: Buffer;
  readonly storageRootKey: Buffer;
}

/** What is wrapped, and how it differs from what a service would send. */
export interface KeyToWrap {
  readonly key: Uint8Array;
  /** TPMA_OBJECT; absent: sign, userWithAuth, noDA. */
  readonly attributes?: number;
  /** TPMT_KEYEDHASH_SCHEME as hex; absent: HMAC with SHA-256. */
  readonly scheme?: string;
  /** The auth value of the key; absent: empty. */
  readonly authValue?: Uint8Array;
}

/** The five structures of a wrapped key, each with its size. */
export type Parts = readonly [Buffer, Buffer, Buffer, Buffer, Buffer];

const USUAL_ATTRIBUTES = 0x0004_0440;
const HMAC_SHA_256 = '0005000b';

const hash = (...bytes: Uint8Array[]) => createHash('sha256').update(Buffer.concat(bytes)).digest();
const mac = (key: Uint8Array, ...bytes: Uint8Array[]) =>
  createHmac('sha256', key).update(Buffer.concat(bytes)).digest();
const hex = (text: string) => Buffer.from(text, 'hex');

function tpm2b(bytes: Uint8Array): Buffer {
  const whole = Buffer.alloc(2 + bytes.length);
  whole.writeUInt16BE(bytes.length);
  whole.set(bytes, 2);
  return whole;
}

function nameOf(area: Uint8Array): Buffer {
  return Buffer.concat([hex('000b'), hash(area)]);
}

function rsaKeyOf(publicArea: Buffer): KeyObject {
  const n = publicArea.subarray(-256).toString('base64url');
  return createPublicKey({ format: 'jwk', key: { kty: 'RSA', n, e: 'AQAB' } });
}

function encrypt(key: Uint8Array, bytes: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-128-cfb', key, Buffer.alloc(16));
  return Buffer.concat([cipher.update(bytes), cipher.final()]);
}

/** A seed for a TPM key, encrypted, and a structure protected by it (TPM 2.0 Library, Part 1, 24). */
function seal(to: Buffer, label: string, name: Uint8Array, content: Uint8Array): { secret: Buffer; wrapped: Buffer } {
  const seed = randomBytes(32);
  const oaep = { padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256', oaepLabel: Buffer.from(`${label}\0`) };
  const storage = mac(seed, hex('00000001'), Buffer.from('STORAGE\0'), name, hex('00000080')).subarray(0, 16);
  const integrity = mac(seed, hex('00000001'), Buffer.from('INTEGRITY\0'), hex('00000100'));
  const encrypted = encrypt(storage, content);
  return {
    secret: tpm2b(publicEncrypt({ key: rsaKeyOf(to), ...oaep }, seed)),
    wrapped: tpm2b(Buffer.concat([tpm2b(mac(integrity, encrypted, name)), encrypted])),
  };
}

/** Wraps a key as DPS does, apart from this suite's own wishes (spec/tpm-service.md 6). */
export function wrapParts({ endorsementKey, storageRootKey }: TpmKeys, wish: KeyToWrap): Parts {
  const seedValue = randomBytes(32);
  const attributes = hex((wish.attributes ?? USUAL_ATTRIBUTES).toString(16).padStart(8, '0'));
  const unique = tpm2b(hash(seedValue, wish.key));
  const area = Buffer.concat([hex('0008000b'), attributes, hex('0000'), hex(wish.scheme ?? HMAC_SHA_256), unique]);
  const name = nameOf(area);
  const members = [tpm2b(wish.authValue ?? Buffer.alloc(0)), tpm2b(seedValue), tpm2b(wish.key)];
  const sensitive = tpm2b(Buffer.concat([hex('0008'), ...members]));
  const innerKey = randomBytes(16);
  const inner = encrypt(innerKey, Buffer.concat([tpm2b(hash(sensitive, name)), sensitive]));
  const duplicate = seal(storageRootKey, 'DUPLICATE', name, inner);
  const credential = seal(endorsementKey, 'IDENTITY', nameOf(storageRootKey.subarray(2)), tpm2b(innerKey));
  return [credential.wrapped, credential.secret, duplicate.wrapped, duplicate.secret, tpm2b(area)];
}

/** The parts in a row, as a service sends them. */
export function wrapKey(keys: TpmKeys, wish: KeyToWrap): Buffer {
  return Buffer.concat(wrapParts(keys, wish));
}

/** A wrapped key with the last bit of one of its five structures turned. */
export function wrapWithFlaw(keys: TpmKeys, wish: KeyToWrap, part: 0 | 1 | 2 | 3 | 4): Buffer {
  const parts = wrapParts(keys, wish).map((bytes) => Buffer.from(bytes));
  const flawed = parts[part];
  if (flawed) flawed[flawed.length - 1] = (flawed.at(-1) ?? 0) ^ 1;
  return Buffer.concat(parts);
}
