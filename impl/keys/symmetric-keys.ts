import type { Logger } from '../process/index.ts';
import type { Counters } from './counters.ts';
import type { KeyLocks } from './key-locks.ts';
import { type AeadInput, type KeyPlace, type KeyUse, unsuitable } from './key-place.ts';
import type { KeyPlaces } from './key-places.ts';
import { PlaceMemory } from './place-memory.ts';
import type { TokenFallback } from './settings.ts';

/** The event counters and the choice that a fallback needs. */
interface FallbackRules {
  readonly choice: TokenFallback;
  readonly counters: Counters;
}

/** Symmetric keys by id, wherever they live (spec/keys-service.md 6.2). Ids have been checked and authorised. */
export class SymmetricKeys {
  readonly #places: KeyPlaces;
  readonly #locks: KeyLocks;
  readonly #log: Logger;
  readonly #fallback: FallbackRules;
  readonly #memory = new PlaceMemory((place) => place.hasKey());

  constructor(places: KeyPlaces, locks: KeyLocks, log: Logger, fallback: FallbackRules) {
    this.#places = places;
    this.#locks = locks;
    this.#log = log;
    this.#fallback = fallback;
  }

  /** Whether the key is there; an empty file is not. */
  async exists(id: string): Promise<boolean> {
    await this.#locks.settled(id);
    return this.#isIn(id, this.#places.ofKey(id));
  }

  /** Throws the 400 where the key is nowhere; an empty file is a fault. */
  async load(id: string): Promise<void> {
    await this.#locks.settled(id);
    const places = this.#places.ofKey(id);
    const [only, ...others] = places;
    const found = only?.kind === 'file' && others.length === 0 ? only.isLoadable() : this.#isIn(id, places);
    if (found === true || (await found)) return;
    // tells an empty file (a fault) from no file
    for (const place of places) if (place.kind === 'file') await place.hmac(Buffer.alloc(0));
    throw unsuitable(`key "${id}" does not exist`);
  }

  /**
   * What the key is now, to be compared by identity: the same object as long as its one file is unchanged. Undefined where a token has a
   * say, and where there is no key.
   */
  mark(id: string): object | undefined | Promise<object | undefined> {
    const [place, ...others] = this.#places.ofKey(id);
    return place?.kind === 'file' && others.length === 0 ? place.mark() : undefined;
  }

  /**
   * Where a file holds the key although a token is asked first, asks the token now, while it answers: uses of the key then go to the file
   * and do not wait for a token that hangs later. Never rejects.
   */
  async lookAhead(id: string): Promise<void> {
    try {
      const places = this.#places.ofKey(id);
      const later = places.slice(1).filter(({ kind }) => kind === 'file');
      for (const place of later) if (await place.hasKey()) await this.#isIn(id, places);
    } catch {
      // the first use finds out, and says so
    }
  }

  /** Makes the key in the first place that can, unless it is there. */
  create(id: string, use: KeyUse): Promise<void> {
    return this.#locks.hold([id], async () => {
      const places = this.#places.ofKey(id);
      if (await this.#isIn(id, places)) return;
      await this.#put(id, places, (place) => place.makeKey(use));
    });
  }

  /** Stores these bytes as the key, in place of what is there. */
  import(id: string, use: KeyUse, bytes: Buffer): Promise<void> {
    return this.#locks.hold([id], () => this.#put(id, this.#places.ofKey(id), (place) => place.importKey(bytes, use)));
  }

  /** Removes the key from every place; one that is not there is fine. */
  delete(id: string): Promise<void> {
    return this.#locks.hold([id], async () => {
      this.#memory.forget(id);
      for (const place of this.#places.ofKey(id)) await place.deleteKey();
    });
  }

  /** HMAC-SHA256, 32 bytes. */
  hmac(id: string, message: Buffer): Promise<Buffer> {
    return this.#use(id, (place) => place.hmac(message));
  }

  /** As {@link hmac}, but a key that is missing, or whose file is empty, is made first. */
  async hmacOrMake(id: string, message: Buffer): Promise<Buffer> {
    await this.#locks.settled(id);
    try {
      const mac = await this.#memory.firstOf(id, this.#places.ofKey(id), (place) => place.hmac(message));
      if (mac) return mac;
    } catch (error) {
      if (await this.exists(id)) throw error;
    }
    await this.create(id, 'hmac');
    return this.hmac(id, message);
  }

  /** Version byte, ciphertext, tag. */
  seal(id: string, input: AeadInput, plaintext: Buffer): Promise<Buffer> {
    return this.#use(id, (place) => place.seal(input, plaintext));
  }

  /** The plaintext; throws the 400 where the ciphertext is not authentic. */
  open(id: string, input: AeadInput, ciphertext: Buffer): Promise<Buffer> {
    return this.#use(id, (place) => place.open(input, ciphertext));
  }

  async #use(id: string, ask: (place: KeyPlace) => Promise<Buffer | undefined>): Promise<Buffer> {
    const changing = this.#locks.settled(id);
    if (changing) await changing;
    const answer = await this.#memory.firstOf(id, this.#places.ofKey(id), ask);
    if (answer === undefined) throw unsuitable(`key "${id}" does not exist`);
    return answer;
  }

  async #isIn(id: string, places: readonly KeyPlace[]): Promise<boolean> {
    const found = await this.#memory.firstOf(id, places, async (place) => ((await place.hasKey()) ? true : undefined));
    return found !== undefined;
  }

  /** What an earlier place holds goes only when a later one has the key: cut off in between, the old key is still there. */
  async #put(
    id: string,
    places: readonly KeyPlace[],
    put: (place: KeyPlace) => Promise<'made' | 'unsupported'>,
  ): Promise<void> {
    this.#memory.forget(id);
    for (const [index, place] of places.entries()) {
      if (index > 0) this.#permitFallback(id);
      if ((await put(place)) === 'unsupported') continue;
      if (index === 0) return;
      this.#fallback.counters.add('token_fallbacks');
      this.#log.warn(`the token cannot hold key "${id}"; it lives in a ${place.kind} now`);
      for (const earlier of places.slice(0, index)) await earlier.deleteKey();
      this.#memory.remember(id, place);
      return;
    }
    throw new Error(`no place could take key "${id}": the token lacks the mechanism and no homedir_path is set`);
  }

  #permitFallback(id: string): void {
    if (this.#fallback.choice === 'file') return;
    this.#fallback.counters.add('token_fallbacks_refused');
    throw new Error(
      `the token cannot hold key "${id}", and pkcs11.fallback is "refuse"; give it a place in [preloaded_keys], or set fallback = "file"`,
    );
  }
}
