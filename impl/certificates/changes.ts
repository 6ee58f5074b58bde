import type { Clock } from '../process/index.ts';

/** How often what is waited for is looked at again: files may be replaced by others than this process. */
const LOOK_MS = 2000;

/** Tells who waits that some certificate was written or removed. */
export class Changes {
  #waiting = new Set<() => void>();

  /** To be called after each write. */
  tell(): void {
    for (const wake of this.#waiting) wake();
  }

  /**
   * Reads until the value is another than `same`, or the time is over; resolves to the last value read.
   *
   * @param waitMs at most this long.
   * @throws whatever `read` throws; the signal's reason.
   */
  async until<T>(
    { read, same, waitMs }: { read: () => Promise<T>; same: (value: T) => boolean; waitMs: number },
    clock: Clock,
    signal: AbortSignal,
  ): Promise<T> {
    const end = performance.now() + waitMs;
    for (;;) {
      const wake = new AbortController();
      const waker = () => wake.abort();
      this.#waiting.add(waker);
      try {
        const value = await read();
        const left = end - performance.now();
        if (!same(value) || left <= 0) return value;
        const pause = AbortSignal.any([signal, wake.signal]);
        await clock.sleep(Math.min(left, LOOK_MS), pause).catch(() => undefined);
        signal.throwIfAborted();
      } finally {
        this.#waiting.delete(waker);
      }
    }
  }
}
