import type { RenewalPolicy } from './policy.ts';
import { isAlwaysDue, isDue, retryPeriod, scheduleOf, toSeconds, type Validity } from './schedule.ts';

/** Which rule set the time of the next try. */
export type RenewalRule =
  /** The policy's threshold. */
  | 'threshold'
  /** The threshold is as long as the lifetime: again after each retry period. */
  | 'always-due'
  /** A failure: the retry period of the policy. */
  | 'retry'
  /** A failure: sooner than the retry period, since the end is near. */
  | 'retry-near-expiry'
  /** A failure after the end: at most ten minutes. */
  | 'retry-expired';

/** The time of a try and the rule behind it. */
export interface Attempt {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly rule: RenewalRule;
}

/** Random numbers from 0 up to but not 1. */
export type Random = () => number;

/** Never sooner than this after a failure, whatever the lifetime. */
const SHORTEST_PAUSE_MS = 1000;
/** An expired certificate is not left alone for longer. */
const LONGEST_EXPIRED_PAUSE_MS = 600_000;
/** Share of the time to the end that a retry may take: the last tries before expiry come closer and closer. */
const SHARE_OF_REST = 0.25;
/** A pause is shortened, a deadline put off, by up to this share of the retry period, so that a fleet does not come at once. */
const JITTER = 0.1;

/**
 * The first try for a certificate that was just looked at or renewed: the threshold's deadline, plus up to a tenth of the retry period; one
 * retry period from now when that has passed (spec/renewal.md 2). Never before the deadline.
 *
 * @param now milliseconds since 1970.
 * @throws ScheduleError for a certificate that has expired.
 */
export function firstAttempt(validity: Validity, policy: RenewalPolicy, now: number, random: Random): Attempt {
  const { next, retry } = scheduleOf(validity, policy, toSeconds(now));
  const jitter = random() * JITTER * retry * 1000;
  if (isAlwaysDue(validity, policy.threshold)) return { at: now + retry * 1000 - jitter / 2, rule: 'always-due' };
  if (isDue(validity, policy.threshold, toSeconds(now))) return { at: now + retry * 1000 - jitter, rule: 'retry' };
  // a long retry period must not put the try off past the end
  const room = Math.max(0, (validity.notAfter - next) * 1000) / 2;
  return { at: next * 1000 + Math.min(jitter, room), rule: 'threshold' };
}

/**
 * The try after a failed one: the retry period, or a quarter of the time that is left when that is less, so that tries come faster toward
 * the end; after the end at most ten minutes. Up to a tenth sooner by chance, never sooner than a second.
 *
 * @param validity of the certificate in use; undefined when it is not known.
 */
export function nextAttempt(
  validity: Validity | undefined,
  policy: RenewalPolicy,
  now: number,
  random: Random,
): Attempt & { readonly pauseMs: number } {
  const { pause, rule } = pauseAfterFailure(validity, policy, now);
  const pauseMs = Math.max(SHORTEST_PAUSE_MS, pause * (1 - JITTER * random()));
  return { at: now + pauseMs, rule, pauseMs };
}

function pauseAfterFailure(
  validity: Validity | undefined,
  policy: RenewalPolicy,
  now: number,
): { pause: number; rule: RenewalRule } {
  if (!validity) return { pause: 60_000, rule: 'retry' };
  const period = retryPeriod(validity, policy.retry) * 1000;
  const rest = validity.notAfter * 1000 - now;
  if (rest <= 0) return { pause: Math.min(period, LONGEST_EXPIRED_PAUSE_MS), rule: 'retry-expired' };
  const lifetime = Math.max(0, validity.notAfter - validity.notBefore) * 1000;
  // tries may come close, but at most about a thousand in a lifetime
  const sooner = Math.max(rest * SHARE_OF_REST, lifetime / 1000);
  return sooner < period ? { pause: sooner, rule: 'retry-near-expiry' } : { pause: period, rule: 'retry' };
}
