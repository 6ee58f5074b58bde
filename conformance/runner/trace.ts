import { AsyncLocalStorage } from 'node:async_hooks';

/** Something that went over a wire while a requirement was judged. */
export interface WireEvent {
  /** Milliseconds since the requirement began. */
  readonly at: number;
  /** Connections are numbered in the order of their opening. */
  readonly connection: number;
  /** `open` has the socket and the caller's uid as its text. */
  readonly kind: 'open' | 'sent' | 'received' | 'closed';
  /** UTF-8; long texts are cut and say so. */
  readonly text: string;
}

const MOST_EVENTS = 120;
const MOST_CHARACTERS = 6_000;

/** Keeps what goes over the wire, the last events where there are many. */
export class Trace {
  readonly #events: WireEvent[] = [];
  readonly #started = performance.now();
  #connections = 0;
  #dropped = 0;

  /** A connection's number for `add`. */
  opened(where: string): number {
    this.#connections += 1;
    this.add(this.#connections, 'open', where);
    return this.#connections;
  }

  add(connection: number, kind: WireEvent['kind'], text: string): void {
    const cut = text.length > MOST_CHARACTERS ? `${text.slice(0, MOST_CHARACTERS)}… (${text.length} characters)` : text;
    this.#events.push({ at: Math.round(performance.now() - this.#started), connection, kind, text: cut });
    if (this.#events.length > MOST_EVENTS) {
      this.#events.shift();
      this.#dropped += 1;
    }
  }

  get events(): readonly WireEvent[] {
    return this.#events;
  }

  /** How many events before the first kept one are left out. */
  get dropped(): number {
    return this.#dropped;
  }
}

const current = new AsyncLocalStorage<Trace>();

/** The trace of the requirement that is being judged, where one is. */
export function currentTrace(): Trace | undefined {
  return current.getStore();
}

/** Runs `work` with its own trace. */
export function traced<T>(trace: Trace, work: () => Promise<T>): Promise<T> {
  return current.run(trace, work);
}
