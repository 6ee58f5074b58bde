/** Gives every other piece of work its turn. */
const idle = () => new Promise<void>((resolve) => setImmediate(resolve));

interface Sleeper {
  readonly wakeAt: number;
  readonly wake: () => void;
}

/**
 * A clock for a world in one process: it stands still while anything is under way, and jumps to the next sleeper when all that is left
 * to do is to wait. Requests that are on the wire are told to it by {@link JumpingClock.busyWith}.
 */
export class JumpingClock {
  #now: number;
  #sleepers: Sleeper[] = [];
  #busy = 0;
  #watching = false;

  constructor(now: number) {
    this.#now = now;
  }

  now(): number {
    return this.#now;
  }

  /** Time does not jump while this work runs. */
  async busyWith<T>(work: Promise<T>): Promise<T> {
    this.#busy++;
    try {
      return await work;
    } finally {
      this.#busy--;
    }
  }

  /** Moves time on at once; whoever slept until then wakes. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    const due = this.#sleepers.filter(({ wakeAt }) => wakeAt <= this.#now).sort((a, b) => a.wakeAt - b.wakeAt);
    this.#sleepers = this.#sleepers.filter((sleeper) => !due.includes(sleeper));
    for (const { wake } of due) wake();
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const stop = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      const sleeper = {
        wakeAt: this.#now + milliseconds,
        wake: () => {
          signal?.removeEventListener('abort', stop);
          resolve();
        },
      };
      this.#sleepers.push(sleeper);
      signal?.addEventListener('abort', stop, { once: true });
      void this.#watch();
    });
  }

  /** Jumps as soon as several turns of the event loop have passed in which nothing was on the wire. */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    for (let quiet = 0; this.#sleepers.length > 0; ) {
      await idle();
      quiet = this.#busy > 0 ? 0 : quiet + 1;
      if (quiet < 20 || this.#sleepers.length === 0) continue;
      quiet = 0;
      const next = Math.min(...this.#sleepers.map(({ wakeAt }) => wakeAt));
      this.advance(Math.max(0, next - this.#now));
    }
    this.#watching = false;
  }
}
