import { FilePlace } from './file-place.ts';
import type { KeyLocks } from './key-locks.ts';
import { type PairMechanism, type PairParts, unsuitable } from './key-place.ts';
import type { KeyPlaces } from './key-places.ts';
import type { PairAlgorithm } from './pair-algorithms.ts';
import { PlaceMemory } from './place-memory.ts';
import { TokenPlace } from './token-place.ts';

/** Key pairs by id, wherever they live (spec/keys-service.md 6.3 and 6.4). Ids have been checked and authorised. */
export class KeyPairs {
  readonly #places: KeyPlaces;
  readonly #locks: KeyLocks;
  readonly #memory = new PlaceMemory((place) => place.hasPair());

  constructor(places: KeyPlaces, locks: KeyLocks) {
    this.#places = places;
    this.#locks = locks;
  }

  /** The public half; throws the 400 where the pair is nowhere. */
  async load(id: string): Promise<PairParts> {
    await this.#locks.settled(id);
    const parts = await this.#memory.firstOf(id, this.#places.ofPair(id), (place) => place.pairParts());
    if (!parts) throw unsuitable(`key pair "${id}" does not exist`);
    return parts;
  }

  /** Makes the pair in its first place, unless it is there, whatever its algorithm. What is there and is no pair is kept: 400. */
  create(id: string, algorithms: readonly PairAlgorithm[]): Promise<void> {
    return this.#locks.hold([id], async () => {
      const places = this.#places.ofPair(id);
      if (await this.#memory.firstOf(id, places, async (place) => ((await place.hasPair()) ? true : undefined))) return;
      await places[0]?.makePair(algorithms);
    });
  }

  /** Removes the pair from every place; one that is not there is fine. */
  delete(id: string): Promise<void> {
    return this.#locks.hold([id], async () => {
      this.#memory.forget(id);
      for (const place of this.#places.ofPair(id)) await place.deletePair();
    });
  }

  /** See {@link KeyPlace.sign}. */
  async sign(id: string, mechanism: PairMechanism, input: Buffer): Promise<Buffer> {
    await this.#locks.settled(id);
    const signature = await this.#memory.firstOf(id, this.#places.ofPair(id), (place) => place.sign(mechanism, input));
    if (!signature) throw unsuitable(`key pair "${id}" does not exist`);
    return signature;
  }

  /** Gives a pair another id, in place of what has it. Only the first place of each id counts; a missing source changes nothing. */
  move(from: string, to: string): Promise<void> {
    return this.#locks.hold([from, to], async () => {
      for (const id of [from, to]) this.#memory.forget(id);
      const source = this.#places.ofPair(from)[0];
      const target = this.#places.ofPair(to)[0];
      if (source instanceof FilePlace && target instanceof FilePlace) {
        if (!(await source.hasPair())) throw unsuitable(`key pair "${from}" does not exist`);
        if (!(await target.admitsPair()))
          throw unsuitable(`key "${to}" is a symmetric key and is kept; delete it first`);
        await source.moveTo(target);
      } else if (source instanceof TokenPlace && target instanceof TokenPlace) {
        if (!(await source.moveTo(target))) throw unsuitable(`key pair "${from}" does not exist`);
      } else throw unsuitable(`key pair "${from}" cannot be moved between a file and a token`);
    });
  }
}
