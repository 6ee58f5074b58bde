import type { Clock, Logger } from '../process/index.ts';

/** More than a slow answer and the one-second step of `Date` explain; tokens and certificates still work below it. */
const TOLERATED_SEC = 120;

/** Whole seconds that this device's clock is ahead of a `Date` header (negative: behind); undefined where there is none. */
export function clockDifference(date: string | undefined, now: number): number | undefined {
  const time = Date.parse(date ?? '');
  return Number.isNaN(time) ? undefined : Math.round((now - time) / 1000);
}

/** Whether a difference is more than tolerated. */
export const isWrong = (seconds: number): boolean => Math.abs(seconds) > TOLERATED_SEC;

/** What the answers of the cloud say about this device's clock. */
export interface ClockWatch {
  /** Compares the `Date` of an answer; says once that the clock is wrong, and once that it is right again. */
  observe(host: string, date: string | undefined): void;
  /** Seconds that the clock was ahead (negative: behind) at the last answer, where that is too much. */
  wrongBy(): number | undefined;
}

/** Makes a watch. */
export function createClockWatch(clock: Clock, log: Logger): ClockWatch {
  let wrong: number | undefined;
  return {
    observe(host, date) {
      const seconds = clockDifference(date, clock.now());
      if (seconds === undefined) return;
      const before = wrong;
      wrong = isWrong(seconds) ? seconds : undefined;
      if (wrong !== undefined && (before === undefined || isWrong(wrong - before))) {
        const direction = seconds > 0 ? 'ahead of' : 'behind';
        log.warn(`The clock of this device is ${Math.abs(seconds)} seconds ${direction} that of ${host}; set it`);
      } else if (wrong === undefined && before !== undefined) log.info('The clock of this device is right again.');
    },
    wrongBy: () => wrong,
  };
}
