import type { Clock } from '../../process/index.ts';

interface Sleeper {
  readonly wakeAt: number;
  readonly wake: () => void;
}

/** A clock that is turned by hand: time that passes, steps of the wall clock alone, and a machine that sleeps. */
export interface HandClock extends Clock {
  /** Lets time pass; who sleeps is woken in order, and what it does is waited for before time goes on. */
  pass(milliseconds: number): Promise<void>;
  /** Sets the wall clock forward or back; timers do not notice. Also what a suspended machine sees. */
  step(milliseconds: number): void;
  /** How many sleeps have begun. */
  readonly sleeps: number;
}

/** Waits until everything that can go on without time passing has done so. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise<void>((done) => setImmediate(done));
}

/** Makes one that shows `now`, milliseconds since 1970. */
export function handClock(now: number): HandClock {
  let wall = now;
  let timer = 0;
  let sleeps = 0;
  const sleepers = new Set<Sleeper>();
  const earliest = (limit: number): Sleeper | undefined =>
    [...sleepers].filter(({ wakeAt }) => wakeAt <= limit).sort((a, b) => a.wakeAt - b.wakeAt)[0];
  return {
    now: () => wall,
    sleep: (milliseconds, signal) =>
      new Promise((resolve, reject) => {
        sleeps++;
        if (signal?.aborted) {
          reject(signal.reason);
          return;
        }
        const sleeper: Sleeper = { wakeAt: timer + Math.max(0, milliseconds), wake: resolve };
        sleepers.add(sleeper);
        signal?.addEventListener(
          'abort',
          () => {
            if (sleepers.delete(sleeper)) reject(signal.reason);
          },
          { once: true },
        );
      }),
    async pass(milliseconds) {
      const end = timer + milliseconds;
      await settle();
      for (let next = earliest(end); next; next = earliest(end)) {
        wall += next.wakeAt - timer;
        timer = next.wakeAt;
        sleepers.delete(next);
        next.wake();
        await settle();
      }
      wall += end - timer;
      timer = end;
    },
    step(milliseconds) {
      wall += milliseconds;
    },
    get sleeps() {
      return sleeps;
    },
  };
}
