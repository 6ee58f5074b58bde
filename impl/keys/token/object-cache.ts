import type { Handle } from './cryptoki.ts';
import type { TokenPair } from './messages.ts';

/** How long a found object is taken to be where it was; others may relabel objects of the token. */
const LIFETIME_MS = 2000;
const MOST_OBJECTS = 512;

/** A key pair of the token with its private object. */
export interface PairObjects {
  readonly privateKey: Handle;
  readonly publicKey: Handle;
  readonly pair: TokenPair;
}

/** Objects found a moment ago, so that each use of a key does not search the token. */
export class ObjectCache {
  readonly #entries = new Map<string, { readonly value: Handle | PairObjects; readonly until: number }>();

  secret(label: string | undefined): Handle | undefined {
    return this.#get(`s:${label ?? ''}`) as Handle | undefined;
  }

  pair(label: string | undefined): PairObjects | undefined {
    return this.#get(`p:${label ?? ''}`) as PairObjects | undefined;
  }

  keepSecret(label: string | undefined, handle: Handle): void {
    this.#keep(`s:${label ?? ''}`, handle);
  }

  keepPair(label: string | undefined, pair: PairObjects): void {
    this.#keep(`p:${label ?? ''}`, pair);
  }

  /** Forgets everything: objects were made, removed or renamed. */
  clear(): void {
    this.#entries.clear();
  }

  #get(name: string): Handle | PairObjects | undefined {
    const entry = this.#entries.get(name);
    return entry && entry.until > performance.now() ? entry.value : undefined;
  }

  #keep(name: string, value: Handle | PairObjects): void {
    if (this.#entries.size >= MOST_OBJECTS) this.#entries.clear();
    this.#entries.set(name, { value, until: performance.now() + LIFETIME_MS });
  }
}
