const SMALLEST = 1024;
/** Share of the table that is filled at most. */
const FULLEST = 0.8;
/** Names that are kept at most: 2^18 in a table of 2^19 places, 10 MiB. */
const MOST = 262_144;
const WORDS = 3;

const KEY_FILE = /^[0-9A-Za-z]*-[0-9a-f]{64}\.key$/;
/** Characters of `<64 hex digits>.key`. */
const TAIL = 68;

/** Whether a name is one of a key file (spec/keys-service.md 6.1). */
export const isKeyFileName = (name: string): boolean => KEY_FILE.test(name);

/** FNV-1a of what stands before the digest, 32 bits; tells apart files of one digest that somebody renamed. */
function prefixHash(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = name.length - TAIL - 1; at >= 0; at--) hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/**
 * A number for each of a great many key files, in 20 bytes a place. A file is known by 64 bits of the digest in its name, which is the
 * SHA-256 of the id, and a hash of the letters before. Beyond the largest size nothing is added.
 */
export class StampTable {
  #words = new Uint32Array(SMALLEST * WORDS);
  /** Zero: nothing is known of the file. */
  #stamps = new Float64Array(SMALLEST);
  /** Places that are taken, by forgotten files too. */
  #taken = 0;
  readonly #wanted = new Uint32Array(WORDS);

  /** Zero where nothing is known. Names of another form are not known. */
  get(name: string): number {
    return this.#stamps[this.#placeOf(name)] ?? 0;
  }

  /** @param stamp not zero. */
  set(name: string, stamp: number): void {
    const before = this.#placeOf(name);
    if (this.#isFree(before)) {
      if (this.#taken >= MOST) return;
      if (this.#taken >= this.#stamps.length * FULLEST) this.#grow();
      this.#taken++;
    }
    const place = this.#placeOf(name);
    this.#words.set(this.#wanted, place * WORDS);
    this.#stamps[place] = stamp;
  }

  delete(name: string): void {
    const place = this.#placeOf(name);
    if (!this.#isFree(place)) this.#stamps[place] = 0;
  }

  clear(): void {
    this.#words = new Uint32Array(SMALLEST * WORDS);
    this.#stamps = new Float64Array(SMALLEST);
    this.#taken = 0;
  }

  /** Where this name is, or the free place where it belongs. */
  #placeOf(name: string): number {
    const at = name.length - TAIL;
    this.#wanted[0] = Number.parseInt(name.slice(at, at + 8), 16);
    this.#wanted[1] = Number.parseInt(name.slice(at + 8, at + 16), 16) | 1;
    this.#wanted[2] = prefixHash(name);
    return this.#find();
  }

  #find(): number {
    const words = this.#words;
    const [first, second, third] = this.#wanted;
    const mask = this.#stamps.length - 1;
    let place = (first ?? 0) & mask;
    for (;;) {
      const at = place * WORDS;
      if (words[at + 1] === 0) return place;
      if (words[at] === first && words[at + 1] === second && words[at + 2] === third) return place;
      place = (place + 1) & mask;
    }
  }

  /** The second word of a name is odd. */
  #isFree(place: number): boolean {
    return this.#words[place * WORDS + 1] === 0;
  }

  /** Forgotten files lose their places. */
  #grow(): void {
    const words = this.#words;
    const stamps = this.#stamps;
    this.#words = new Uint32Array(words.length * 2);
    this.#stamps = new Float64Array(stamps.length * 2);
    this.#taken = 0;
    for (const [place, stamp] of stamps.entries()) {
      if (stamp === 0) continue;
      this.#wanted.set(words.subarray(place * WORDS, (place + 1) * WORDS));
      const target = this.#find();
      this.#words.set(this.#wanted, target * WORDS);
      this.#stamps[target] = stamp;
      this.#taken++;
    }
  }
}
