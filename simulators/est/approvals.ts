import { createHash } from 'node:crypto';

const MOST_WAITING = 1000;

/** A request that waits, or waited, for somebody to decide. */
export interface PendingRequest {
  /** First 16 hex digits of SHA-256 of the request's DER. */
  readonly id: string;
  /** For people. */
  readonly subject: string;
  readonly principal: string;
  /** How often it was told to come again. */
  readonly asked: number;
  readonly state: 'waiting' | 'approved' | 'rejected';
}

/** Requests that were put off, the newest 1,000, by what they are: the same request comes again byte for byte. */
export class Approvals {
  readonly #requests = new Map<string, PendingRequest>();

  /** What this request is now; it is taken in where it is new. */
  look(der: Buffer, from: { readonly subject: string; readonly principal: string }): PendingRequest {
    const id = createHash('sha256').update(der).digest('hex').slice(0, 16);
    const known = this.#requests.get(id);
    if (known) return known;
    const made: PendingRequest = { id, ...from, asked: 0, state: 'waiting' };
    this.#requests.set(id, made);
    const [oldest] = this.#requests.keys();
    if (this.#requests.size > MOST_WAITING && oldest !== undefined) this.#requests.delete(oldest);
    return made;
  }

  /** Notes that it was told to come again. */
  putOff({ id }: PendingRequest): void {
    const known = this.#requests.get(id);
    if (known) this.#requests.set(id, { ...known, asked: known.asked + 1 });
  }

  list(): PendingRequest[] {
    return [...this.#requests.values()];
  }

  /** Decides on a request; undefined where none has this id. */
  decide(id: string, state: 'approved' | 'rejected'): PendingRequest | undefined {
    const known = this.#requests.get(id);
    if (!known) return undefined;
    const decided = { ...known, state };
    this.#requests.set(id, decided);
    return decided;
  }

  /** Forgets a request that was answered. */
  forget({ id }: PendingRequest): void {
    this.#requests.delete(id);
  }
}
