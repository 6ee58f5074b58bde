import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { type HandleMac, hmacSha256, type KeyRef, mintHandle, NONCE_BYTES, openHandle } from './key-handle.ts';
import { HANDLE_VALIDATION_KEY } from './key-id.ts';
import type { KeyPlaces } from './key-places.ts';
import type { SymmetricKeys } from './symmetric-keys.ts';

const IN_MEMORY_BYTES = 32;
/** How long a handle that a token has verified is believed, and how many of them. */
const BELIEVED_MS = 30_000;
const MOST_BELIEVED = 4096;

/** A handle is looked up by its digest, so that the time of a look-up tells nothing about the handles that are known. */
const nameOf = (handle: string): string => createHash('sha256').update(handle).digest('base64');

/**
 * Mints and opens handles with the handle-validation key, which is made on demand like any other key. Where nothing but preloaded keys
 * has a place, the key lives in memory and handles end with the process (stricter than the reference, which then mints nothing).
 */
export class Handles {
  readonly #mac: HandleMac;
  /** Opened handles by their SHA-256, only where verifying costs a trip to the token. */
  readonly #believed: Map<string, { readonly ref: KeyRef; readonly until: number }> | undefined;

  constructor(places: KeyPlaces, keys: SymmetricKeys) {
    const homeless = !places.hasPlace(HANDLE_VALIDATION_KEY);
    const memory: KeyObject | undefined = homeless ? createSecretKey(randomBytes(IN_MEMORY_BYTES)) : undefined;
    this.#mac = memory
      ? (bytes) => Promise.resolve(hmacSha256(memory, bytes))
      : (bytes) => keys.hmacOrMake(HANDLE_VALIDATION_KEY, bytes);
    this.#believed = !memory && places.mayUseToken(HANDLE_VALIDATION_KEY) ? new Map() : undefined;
  }

  /** A new handle; two handles of one key differ. */
  async mint(ref: KeyRef): Promise<string> {
    const handle = await mintHandle(ref, randomBytes(NONCE_BYTES), this.#mac);
    this.#believe(handle, ref);
    return handle;
  }

  /** What a handle stands for; throws the 400 of `handle`. */
  async open(handle: string): Promise<KeyRef> {
    if (!this.#believed) return openHandle(handle, this.#mac);
    const known = this.#believed.get(nameOf(handle));
    if (known && known.until > performance.now()) return known.ref;
    const ref = await openHandle(handle, this.#mac);
    this.#believe(handle, ref);
    return ref;
  }

  #believe(handle: string, ref: KeyRef): void {
    if (!this.#believed) return;
    if (this.#believed.size >= MOST_BELIEVED) this.#believed.clear();
    this.#believed.set(nameOf(handle), { ref, until: performance.now() + BELIEVED_MS });
  }
}
