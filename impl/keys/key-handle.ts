import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { decodeBase64, invalidParameter, isBase64, type ServiceError } from '../ipc/index.ts';
import { nulFault } from './key-id.ts';

/** What a handle stands for. A derived key is its base handle and the data of the derivation. */
export type KeyRef =
  | { readonly kind: 'Key'; readonly id: string }
  | { readonly kind: 'KeyPair'; readonly id: string }
  | { readonly kind: 'Derived'; readonly base: string; readonly data: Buffer };

/** HMAC-SHA256 under the handle-validation key, 32 bytes. */
export type HandleMac = (bytes: Buffer) => Promise<Buffer>;

/** Random bytes of the nonce (spec/keys-service.md 5.1). */
export const NONCE_BYTES = 64;

const invalidHandle = (): ServiceError => invalidParameter('handle', 'invalid handle');

/** HMAC-SHA256; 32 bytes. */
export const hmacSha256 = (key: KeyObject | Buffer, data: Uint8Array): Buffer =>
  createHmac('sha256', key).update(data).digest();

/** The handle of a key: `sr=` base64(SR) `&sig=` base64(HMAC of SR); SR is the JSON of spec/keys-service.md 5.1. */
export async function mintHandle(ref: KeyRef, nonce: Buffer, mac: HandleMac): Promise<string> {
  const keyId = ref.kind === 'Derived' ? { Derived: [ref.base, [...ref.data]] } : { [ref.kind]: ref.id };
  const token = Buffer.from(JSON.stringify({ key_id: keyId, nonce: nonce.toString('base64') }));
  return `sr=${token.toString('base64')}&sig=${(await mac(token)).toString('base64')}`;
}

interface HandleParts {
  /** The signed bytes, exactly as they are in the handle. */
  readonly token: Buffer;
  readonly signature: Buffer;
}

function split(handle: string): HandleParts {
  let token: string | undefined;
  let signature: string | undefined;
  for (const item of handle.split('&')) {
    if (item.startsWith('sr=')) token = item.slice(3);
    else if (item.startsWith('sig=')) signature = item.slice(4);
  }
  if (token === undefined || signature === undefined || !isBase64(token) || !isBase64(signature)) throw invalidHandle();
  return { token: decodeBase64(token), signature: decodeBase64(signature) };
}

function isByte(value: unknown): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 255;
}

function idOf(kind: 'Key' | 'KeyPair', id: unknown): KeyRef {
  if (typeof id !== 'string') throw invalidHandle();
  const nul = nulFault(id);
  if (nul !== undefined) throw invalidParameter('handle', nul);
  return { kind, id };
}

function readToken(bytes: Buffer): KeyRef {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw invalidHandle();
  }
  const { key_id: keyId, nonce } = (value ?? {}) as { key_id?: unknown; nonce?: unknown };
  if (typeof keyId !== 'object' || keyId === null || typeof nonce !== 'string') throw invalidHandle();
  const [entry, ...more] = Object.entries(keyId);
  if (!entry || more.length > 0) throw invalidHandle();
  const [kind, content] = entry as [string, unknown];
  if (kind === 'Key' || kind === 'KeyPair') return idOf(kind, content);
  if (kind !== 'Derived' || !Array.isArray(content) || content.length !== 2) throw invalidHandle();
  const [base, data] = content as unknown[];
  if (typeof base !== 'string' || !Array.isArray(data) || !data.every(isByte)) throw invalidHandle();
  return { kind: 'Derived', base, data: Buffer.from(data as number[]) };
}

/**
 * Checks a handle and reads it (spec/keys-service.md 5.2): the signature covers the bytes as they came, whatever their structure.
 * Throws the 400 of `handle`. The base of a derived key is not looked at.
 */
export async function openHandle(handle: string, mac: HandleMac): Promise<KeyRef> {
  const { token, signature } = split(handle);
  const expected = await mac(token);
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) throw invalidHandle();
  return readToken(token);
}
