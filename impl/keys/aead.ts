import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { type AeadInput, unsuitable } from './key-place.ts';

const TAG_BYTES = 16;
const KEY_BYTES = 32;
/** Longest IV that OpenSSL takes. */
const LONGEST_IV_BYTES = 128;
/** Tag before the ciphertext: read only. */
const VERSION_1 = 1;
/** Tag behind the ciphertext. */
export const VERSION_2 = 2;

/** Refuses an empty IV in every place: it would be the same for every message (stricter, checklist 81). */
export function checkIv({ iv }: AeadInput): void {
  if (iv.length === 0) throw unsuitable('the IV is empty');
}

function checkFileInput(key: KeyObject, { iv }: AeadInput): void {
  if (iv.length > LONGEST_IV_BYTES) throw unsuitable(`the IV has more than ${LONGEST_IV_BYTES} bytes`);
  if (key.symmetricKeySize !== KEY_BYTES) throw new Error(`AEAD needs a key of ${KEY_BYTES} bytes`);
}

/** Ciphertext without its version byte, and that byte. Throws the 400 for empty, short and unknown ones (spec/keys-service.md 6.2). */
export function splitCiphertext(ciphertext: Buffer): { readonly version: number; readonly rest: Buffer } {
  const version = ciphertext[0];
  if (version === undefined || ciphertext.length < 1 + TAG_BYTES) throw unsuitable('the ciphertext is too short');
  if (version !== VERSION_1 && version !== VERSION_2) throw unsuitable(`ciphertext version ${version} is unknown`);
  return { version, rest: ciphertext.subarray(1) };
}

/** AES-256-GCM: version byte 2, ciphertext, tag of 16 bytes. A key that is not 32 bytes long is an error of the store. */
export function sealAead(key: KeyObject, input: AeadInput, plaintext: Buffer): Buffer {
  checkFileInput(key, input);
  const cipher = createCipheriv('aes-256-gcm', key, input.iv, { authTagLength: TAG_BYTES });
  cipher.setAAD(input.aad);
  return Buffer.concat([Buffer.of(VERSION_2), cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

/** The plaintext of version 1 or 2; a ciphertext that is not authentic is refused with 400 (stricter than the reference). */
export function openAead(key: KeyObject, input: AeadInput, ciphertext: Buffer): Buffer {
  const { version, rest } = splitCiphertext(ciphertext);
  checkFileInput(key, input);
  const split = rest.length - TAG_BYTES;
  const tag = version === VERSION_1 ? rest.subarray(0, TAG_BYTES) : rest.subarray(split);
  const body = version === VERSION_1 ? rest.subarray(TAG_BYTES) : rest.subarray(0, split);
  const decipher = createDecipheriv('aes-256-gcm', key, input.iv, { authTagLength: TAG_BYTES });
  decipher.setAAD(input.aad);
  decipher.setAuthTag(tag);
  const plaintext = decipher.update(body);
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch {
    plaintext.fill(0);
    throw unsuitable('the ciphertext is not authentic under this key, IV and additional data');
  }
}
