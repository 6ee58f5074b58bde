import { hash } from 'node:crypto';

const SMALLEST = 1024;
/** Share of the table that is filled at most. */
const FULLEST = 0.5;

/** The first 64 bits of an id's SHA-256; zero stands for a free place of the table. */
function fingerprintOf(id: string): bigint {
  const bits = hash('sha256', id, 'buffer').readBigUInt64LE();
  return bits === 0n ? 1n : bits;
}

/** Which ids have been seen, in 16 bytes an id at most; for stores with a great many keys. */
export class IdSet {
  #table = new BigUint64Array(SMALLEST);
  #size = 0;

  has(id: string): boolean {
    return this.#table[this.#placeOf(fingerprintOf(id))] !== 0n;
  }

  add(id: string): void {
    if (this.#size >= this.#table.length * FULLEST) this.#grow();
    this.#put(fingerprintOf(id));
  }

  #put(fingerprint: bigint): void {
    const place = this.#placeOf(fingerprint);
    if (this.#table[place] === 0n) this.#size++;
    this.#table[place] = fingerprint;
  }

  /** Where this fingerprint is, or the free place where it belongs. */
  #placeOf(fingerprint: bigint): number {
    const mask = this.#table.length - 1;
    let place = Number(fingerprint & 0xffffffffn) & mask;
    while (this.#table[place] !== 0n && this.#table[place] !== fingerprint) place = (place + 1) & mask;
    return place;
  }

  #grow(): void {
    const before = this.#table;
    this.#table = new BigUint64Array(before.length * 2);
    this.#size = 0;
    for (const fingerprint of before) if (fingerprint !== 0n) this.#put(fingerprint);
  }
}
