import { createSecretKey, hash, type KeyObject, randomBytes } from 'node:crypto';
import { ServiceError } from '../ipc/index.ts';
import { type HandleMac, hmacSha256, type KeyRef, mintHandle, NONCE_BYTES, openHandle } from './key-handle.ts';
import { HANDLE_VALIDATION_KEY } from './key-id.ts';
import type { KeyPlaces } from './key-places.ts';
import { SpareHandles } from './spare-handles.ts';
import type { SymmetricKeys } from './symmetric-keys.ts';

const IN_MEMORY_BYTES = 32;
/** After how long a key in a token is asked again about a handle, and how many handles are believed. */
const BELIEVED_MS = 30_000;
const MOST_BELIEVED = 4096;

/** A handle is looked up by its digest, so that the time of a look-up tells nothing about the handles that are known. */
const nameOf = (handle: string): string => hash('sha256', handle, 'base64');

interface Believed {
  readonly ref: KeyRef;
  /** What the handle-validation key was, see {@link SymmetricKeys.mark}; undefined where only the time counts. */
  readonly mark: object | undefined;
  /** On the clock of `performance.now()`. */
  until: number;
}

/**
 * Mints and opens handles with the handle-validation key, which is made on demand like any other key. Where nothing but preloaded keys
 * has a place, the key lives in memory and handles end with the process (stricter than the reference, which then mints nothing).
 * A verified handle is believed as long as the key is unchanged; a key in a token, which cannot tell, is asked again after a while.
 */
export class Handles {
  readonly #mac: HandleMac;
  readonly #keys: SymmetricKeys;
  /** Marks the key in memory, which never changes. */
  readonly #memory: object | undefined;
  /** Opened handles by their SHA-256. */
  readonly #believed = new Map<string, Believed>();
  readonly #spare = new SpareHandles();

  constructor(places: KeyPlaces, keys: SymmetricKeys) {
    const homeless = !places.hasPlace(HANDLE_VALIDATION_KEY);
    const memory: KeyObject | undefined = homeless ? createSecretKey(randomBytes(IN_MEMORY_BYTES)) : undefined;
    this.#keys = keys;
    this.#memory = memory;
    this.#mac = memory
      ? (bytes) => Promise.resolve(hmacSha256(memory, bytes))
      : (bytes) => keys.hmacOrMake(HANDLE_VALIDATION_KEY, bytes);
  }

  /** A new handle; two handles of one key differ, except where a token that is out of order would have to sign the second. */
  mint(ref: KeyRef): Promise<string> {
    const minted = this.#mintNew(ref);
    return ref.kind === 'Derived' ? minted : this.#spare.inTime(ref, minted);
  }

  async #mintNew(ref: KeyRef): Promise<string> {
    const handle = await mintHandle(ref, randomBytes(NONCE_BYTES), this.#mac);
    const mark = await this.#mark();
    this.#believe(nameOf(handle), ref, mark);
    this.#noteSpare(handle, ref, mark);
    return handle;
  }

  /** Only a token can be out of order. */
  #noteSpare(handle: string, ref: KeyRef, mark: object | undefined): void {
    if (mark === undefined && ref.kind !== 'Derived') this.#spare.note(ref, handle);
  }

  /** What a handle stands for; throws the 400 of `handle`. */
  open(handle: string): KeyRef | Promise<KeyRef> {
    const name = nameOf(handle);
    const mark = this.#mark();
    return mark instanceof Promise
      ? mark.then((read) => this.#openMarked(handle, name, read))
      : this.#openMarked(handle, name, mark);
  }

  #openMarked(handle: string, name: string, mark: object | undefined): KeyRef | Promise<KeyRef> {
    const known = this.#believed.get(name);
    if (!known || known.mark !== mark) return this.#openNew(handle, name, mark);
    if (mark === undefined && known.until <= performance.now()) this.#confirm(handle, name, known);
    return known.ref;
  }

  async #openNew(handle: string, name: string, mark: object | undefined): Promise<KeyRef> {
    const ref = await openHandle(handle, this.#mac);
    // the key that verified it is the one from before, unless it was replaced meanwhile
    if (mark !== (await this.#mark())) return ref;
    this.#believe(name, ref, mark);
    this.#noteSpare(handle, ref, mark);
    return ref;
  }

  /** Asks the token again beside the request, so that a token that hangs does not hold up a handle that was good before. */
  #confirm(handle: string, name: string, known: Believed): void {
    known.until = performance.now() + BELIEVED_MS;
    openHandle(handle, this.#mac).catch((error: unknown) => {
      // the key that signs handles is another one now
      if (!(error instanceof ServiceError) || error.status !== 400) return;
      this.#believed.delete(name);
      this.#spare.clear();
    });
  }

  #mark(): object | undefined | Promise<object | undefined> {
    return this.#memory ?? this.#keys.mark(HANDLE_VALIDATION_KEY);
  }

  #believe(name: string, ref: KeyRef, mark: object | undefined): void {
    if (this.#believed.size >= MOST_BELIEVED) {
      const [oldest = name] = this.#believed.keys();
      this.#believed.delete(oldest);
    }
    this.#believed.set(name, { ref, mark, until: performance.now() + BELIEVED_MS });
  }
}
