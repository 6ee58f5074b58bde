/** What one attempt ended in, as far as trying again is concerned. */
export type AttemptEnd =
  | { readonly type: 'throttled'; readonly retryAfterMs: number | undefined }
  | { readonly type: 'unavailable'; readonly retryAfterMs: number | undefined }
  | { readonly type: 'no-answer' };

export const THROTTLED_ATTEMPTS = 5;
/** Attempts for 5xx answers that are worth another try. */
const UNAVAILABLE_ATTEMPTS = 3;
const ORDINARY_PAUSE_MS = 3000;
/** A server that asks for more than this is not waited for inside one operation. */
const LONGEST_WAIT_MS = 15 * 60_000;
const THROTTLE_TABLE = [
  { base: 60_000, jitter: 10_000 },
  { base: 120_000, jitter: 20_000 },
  { base: 180_000, jitter: 30_000 },
  { base: 300_000, jitter: 30_000 },
] as const;

/**
 * Milliseconds to wait before the next attempt, or undefined to give up (spec/cloud.md 1). One counter serves all kinds of ends;
 * the place in the schedule for 429 is the number of the attempt. `Retry-After` lengthens a pause, never shortens it.
 *
 * @param attempt number of the attempt that just ended, from 1.
 * @param retries ordinary retries after the first attempt.
 * @param random in [0, 1).
 */
export function pauseBeforeNext(
  end: AttemptEnd,
  attempt: number,
  retries: number,
  random: () => number,
): number | undefined {
  if (end.type === 'no-answer') return attempt <= retries ? ORDINARY_PAUSE_MS : undefined;
  const wanted = end.retryAfterMs ?? 0;
  if (wanted > LONGEST_WAIT_MS) return undefined;
  if (end.type === 'unavailable') {
    return attempt < UNAVAILABLE_ATTEMPTS ? Math.max(ORDINARY_PAUSE_MS, wanted) : undefined;
  }
  const row = THROTTLE_TABLE[attempt - 1];
  return row && Math.max(row.base + random() * row.jitter, wanted);
}

/** `Retry-After` as milliseconds: seconds or an HTTP date; undefined when absent or unreadable. `now` is Unix milliseconds. */
export function retryAfterMs(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  if (/^\d{1,9}$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
