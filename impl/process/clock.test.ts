import { afterEach, expect, it, vi } from 'vitest';
import { systemClock } from './index.ts';

afterEach(() => vi.useRealTimers());

it('RN-042: a sleep of sixty days does not end early by timer overflow', async () => {
  vi.useFakeTimers();
  const days = (count: number) => count * 86_400_000;
  let done = false;
  const sleeping = systemClock.sleep(days(60)).then(() => {
    done = true;
  });
  await vi.advanceTimersByTimeAsync(days(59));
  expect(done).toBe(false);
  await vi.advanceTimersByTimeAsync(days(1));
  await sleeping;
  expect(done).toBe(true);
});

it('a sleep ends with the reason of its signal', async () => {
  const stop = new AbortController();
  const sleeping = systemClock.sleep(60_000, stop.signal);
  stop.abort(new Error('no longer wanted'));
  await expect(sleeping).rejects.toThrow('no longer wanted');
});
