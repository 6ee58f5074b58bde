import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { HangBreaker } from './hang-breaker.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('the breaker before a module that hangs', () => {
  it('lets requests pass until it is opened', () => {
    const breaker = new HangBreaker();
    expect(breaker.retryAfter).toBeUndefined();
  });

  it('closes with the first trial that is answered, a second after it was opened', async () => {
    const breaker = new HangBreaker();
    const trial = vi.fn(async () => 'answered');
    breaker.open(trial);
    expect(breaker.retryAfter).toBe(1);
    await vi.advanceTimersByTimeAsync(999);
    expect(trial).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(trial).toHaveBeenCalledOnce();
    expect(breaker.retryAfter).toBeUndefined();
  });

  it('tries again after pauses that double up to a minute, and says how long', async () => {
    const breaker = new HangBreaker();
    const pauses: (number | undefined)[] = [];
    const trial = async () => {
      throw new Error('hangs');
    };
    breaker.open(trial);
    for (let tries = 0; tries < 9; tries++) {
      pauses.push(breaker.retryAfter);
      await vi.advanceTimersToNextTimerAsync();
    }
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60]);
  });

  it('stays open while a trial has no answer, and begins with a short pause the next time', async () => {
    const breaker = new HangBreaker();
    const { promise, resolve } = Promise.withResolvers<void>();
    breaker.open(() => promise);
    await vi.advanceTimersByTimeAsync(5000);
    expect(breaker.retryAfter).toBe(1);
    resolve();
    await vi.advanceTimersByTimeAsync(0);
    expect(breaker.retryAfter).toBeUndefined();
    breaker.open(() => promise);
    expect(breaker.retryAfter).toBe(1);
  });

  it('asks nothing any more once it was closed from outside', async () => {
    const breaker = new HangBreaker();
    const trial = vi.fn(async () => undefined);
    breaker.open(trial);
    breaker.close();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(trial).not.toHaveBeenCalled();
  });
});
