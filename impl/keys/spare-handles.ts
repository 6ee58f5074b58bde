import type { KeyRef } from './key-handle.ts';

const MOST_KEYS = 1024;
/** How long a token may take to sign a new handle before an older one of the same key is given out. */
const PATIENCE_MS = 1000;

type PlainRef = Extract<KeyRef, { id: string }>;

const nameOf = ({ kind, id }: PlainRef): string => `${kind} ${id}`;

/**
 * The latest handle of each key, for the time when the token that signs handles is out of order: who may load a key gets a handle that was
 * given out before, which is as good as a new one. So keys in files go on being loaded.
 */
export class SpareHandles {
  readonly #latest = new Map<string, string>();

  /** A handle that has just been signed or verified. */
  note(ref: PlainRef, handle: string): void {
    const name = nameOf(ref);
    this.#latest.delete(name);
    this.#latest.set(name, handle);
    const oldest = this.#latest.size > MOST_KEYS ? this.#latest.keys().next().value : undefined;
    if (oldest !== undefined) this.#latest.delete(oldest);
  }

  clear(): void {
    this.#latest.clear();
  }

  /** The handle that is being signed; an older one of the same key, where there is one, when that fails or takes long. */
  async inTime(ref: PlainRef, signing: Promise<string>): Promise<string> {
    const spare = this.#latest.get(nameOf(ref));
    if (spare === undefined) return signing;
    const { promise: patience, resolve } = Promise.withResolvers<string>();
    const timer = setTimeout(() => resolve(spare), PATIENCE_MS);
    try {
      return await Promise.race([signing.catch(() => spare), patience]);
    } finally {
      clearTimeout(timer);
    }
  }
}
