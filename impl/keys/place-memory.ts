import type { KeyPlace } from './key-place.ts';

/** After this long the earlier places are asked again, beside the request. */
const ASK_AGAIN_MS = 30_000;
const MOST_IDS = 4096;

interface Found {
  readonly kind: KeyPlace['kind'];
  /** On the clock of `performance.now()`. */
  askAgainAt: number;
}

/**
 * Asks the places of a key in their order and remembers the ids that were found in a later one: a key that lives in a file does not wait
 * for the token that was asked before and did not have it. Keys that keyd itself makes, removes or moves are forgotten; one that another
 * program makes in the token is noticed at the second use after half a minute.
 */
export class PlaceMemory {
  readonly #found = new Map<string, Found>();
  readonly #isIn: (place: KeyPlace) => Promise<boolean>;

  /** @param isIn whether a place holds such a key at all. */
  constructor(isIn: (place: KeyPlace) => Promise<boolean>) {
    this.#isIn = isIn;
  }

  /** The first answer of the places; undefined where the key is in none of them. */
  firstOf<T>(
    id: string,
    places: readonly KeyPlace[],
    ask: (place: KeyPlace) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const [first] = places;
    return first && places.length === 1 ? ask(first) : this.#firstOfMany(id, places, ask);
  }

  async #firstOfMany<T>(
    id: string,
    places: readonly KeyPlace[],
    ask: (place: KeyPlace) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const [first] = places;
    const known = this.#known(id, places);
    if (known) {
      const answer = await ask(known);
      if (answer !== undefined) return answer;
      this.#found.delete(id);
    }
    for (const place of places) {
      const answer = await ask(place);
      if (answer === undefined) continue;
      if (place !== first) this.remember(id, place);
      return answer;
    }
    return undefined;
  }

  /** The key was found in, or has been given to, a place that is not the first. */
  remember(id: string, { kind }: KeyPlace): void {
    if (this.#found.size >= MOST_IDS) this.#found.clear();
    this.#found.set(id, { kind, askAgainAt: performance.now() + ASK_AGAIN_MS });
  }

  forget(id: string): void {
    this.#found.delete(id);
  }

  #known(id: string, places: readonly KeyPlace[]): KeyPlace | undefined {
    const found = this.#found.get(id);
    if (!found) return undefined;
    const place = places.find(({ kind }) => kind === found.kind);
    if (place && performance.now() > found.askAgainAt) {
      found.askAgainAt = performance.now() + ASK_AGAIN_MS;
      void this.#lookBefore(id, place, places);
    }
    return place;
  }

  async #lookBefore(id: string, found: KeyPlace, places: readonly KeyPlace[]): Promise<void> {
    try {
      for (const place of places) {
        if (place === found) return;
        if (await this.#isIn(place)) this.#found.delete(id);
      }
    } catch {
      // the token is out of order; what is in the file goes on serving
    }
  }
}
