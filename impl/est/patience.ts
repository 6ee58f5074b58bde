import { HttpsError } from '../https/index.ts';
import { type EstAnswer, retryAfterMs } from './answer.ts';

/** Random numbers from 0 up to but not 1. */
export type Random = () => number;

/** Pauses between the tries of one exchange (spec/est.md 4.1). */
const PAUSES_MS = [1000, 3000];
/** A pause is this share longer or shorter by chance, so that devices do not come in step. */
const JITTER = 0.25;
/** A server that is busy is waited for as it asks, up to this; the next renewal or request comes later anyway. */
const LONGEST_BUSY_MS = 10_000;

const spread = (milliseconds: number, random: Random): number => milliseconds * (1 - JITTER + 2 * JITTER * random());

/**
 * Milliseconds until the exchange is tried again, undefined when its outcome stands: connection errors and 5xx are tried three times, and a
 * 503 waits for its `Retry-After`; everything else once.
 *
 * @param tries that have failed before this one.
 */
export function pauseAfter(
  outcome: { readonly answer: EstAnswer } | { readonly error: unknown },
  tries: number,
  now: number,
  random: Random,
): number | undefined {
  const pause = PAUSES_MS[tries];
  if (pause === undefined) return undefined;
  if ('error' in outcome) return mayPass(outcome.error) ? spread(pause, random) : undefined;
  const { answer } = outcome;
  if (answer.status < 500) return undefined;
  if (answer.status !== 503 || answer.headers['retry-after'] === undefined) return spread(pause, random);
  const asked = retryAfterMs(answer, now);
  // coming before the server wants it is no use
  return asked > LONGEST_BUSY_MS ? undefined : Math.max(asked, spread(pause, random));
}

function mayPass(error: unknown): boolean {
  return error instanceof HttpsError && ['not-connected', 'closed', 'proxy'].includes(error.kind);
}
