import { describe, expect, it } from 'vitest';
import { pauseBeforeNext, retryAfterMs } from './retry.ts';

const throttled = { type: 'throttled', retryAfterMs: undefined } as const;
const noAnswer = { type: 'no-answer' } as const;

describe('pauses between attempts', () => {
  it('CL-042: ordinary retries are 3 s apart and as many as configured', () => {
    const pauses = (retries: number) => [1, 2, 3, 4].map((n) => pauseBeforeNext(noAnswer, n, retries, () => 0));
    expect(pauses(0)).toEqual([undefined, undefined, undefined, undefined]);
    expect(pauses(1)).toEqual([3000, undefined, undefined, undefined]);
    expect(pauses(3)).toEqual([3000, 3000, 3000, undefined]);
  });

  it('CL-045, TR-059, CL-046: throttling has its own four pauses, then gives up', () => {
    const pauses = (random: number) => [1, 2, 3, 4, 5].map((n) => pauseBeforeNext(throttled, n, 9, () => random));
    expect(pauses(0)).toEqual([60_000, 120_000, 180_000, 300_000, undefined]);
    expect(pauses(0.5)).toEqual([65_000, 130_000, 195_000, 315_000, undefined]);
  });

  it('CL-048: one counter for both: a throttled first attempt uses up the only ordinary retry', () => {
    expect(pauseBeforeNext(noAnswer, 2, 1, () => 0)).toBeUndefined();
    expect(pauseBeforeNext(throttled, 2, 1, () => 0)).toBe(120_000);
  });

  it('CL-049: waits at least as long as Retry-After says', () => {
    expect(pauseBeforeNext({ type: 'throttled', retryAfterMs: 600_000 }, 1, 1, () => 0)).toBe(600_000);
    expect(pauseBeforeNext({ type: 'throttled', retryAfterMs: 1000 }, 1, 1, () => 0)).toBe(60_000);
    expect(pauseBeforeNext({ type: 'throttled', retryAfterMs: 86_400_000 }, 1, 1, () => 0)).toBeUndefined();
  });

  it('CL-044: an unavailable service gets two more attempts', () => {
    const end = { type: 'unavailable', retryAfterMs: 7000 } as const;
    expect([1, 2, 3].map((n) => pauseBeforeNext(end, n, 0, () => 0))).toEqual([7000, 7000, undefined]);
  });

  it('reads Retry-After as seconds or as a date', () => {
    expect(retryAfterMs('3', 0)).toBe(3000);
    expect(retryAfterMs('Thu, 01 Jan 1970 00:01:00 GMT', 20_000)).toBe(40_000);
    expect(retryAfterMs('soon', 0)).toBeUndefined();
    expect(retryAfterMs(undefined, 0)).toBeUndefined();
  });
});
