import type { Policy, RenewalPolicy } from './policy.ts';

/** Validity of a leaf, whole seconds since 1970. */
export interface Validity {
  readonly notBefore: number;
  readonly notAfter: number;
}

/** When a valid certificate is to be renewed. */
export interface Schedule {
  /** Seconds since 1970 of the next try. */
  readonly next: number;
  /** Seconds between tries, at least 1. */
  readonly retry: number;
}

/** Raised for a certificate that has no future to schedule in. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}

/** Whole seconds of a time in milliseconds. */
export const toSeconds = (milliseconds: number): number => Math.floor(milliseconds / 1000);

/** Whether a certificate is to be renewed now, by its policy's threshold (spec/renewal.md 2). */
export function isDue({ notBefore, notAfter }: Validity, threshold: Policy, now: number): boolean {
  if (notBefore >= notAfter || now >= notAfter) return true;
  if (threshold.kind === 'time') return notAfter - now <= threshold.seconds;
  return Math.trunc(((now - notBefore) * 100) / (notAfter - notBefore)) >= threshold.percent;
}

/** Seconds between two tries for a certificate of this validity, at least 1. */
export function retryPeriod({ notBefore, notAfter }: Validity, retry: Policy): number {
  return retry.kind === 'time'
    ? retry.seconds
    : Math.max(1, Math.floor(((notAfter - notBefore) * retry.percent) / 100));
}

/**
 * The time of the next renewal: the threshold's deadline, or one retry period from now when that has passed (spec/renewal.md 2).
 *
 * @throws ScheduleError for a certificate that has expired or ends before it begins.
 */
export function scheduleOf(validity: Validity, policy: RenewalPolicy, now: number): Schedule {
  const { notBefore, notAfter } = validity;
  if (notBefore >= notAfter || now >= notAfter)
    throw new ScheduleError('certificate is not valid any more; renew it first');
  const { threshold } = policy;
  const deadline =
    threshold.kind === 'time'
      ? notAfter - threshold.seconds
      : notBefore + Math.floor(((notAfter - notBefore) * threshold.percent) / 100);
  const retry = retryPeriod(validity, policy.retry);
  return { next: now >= deadline ? now + retry : deadline, retry };
}

/** Whether the threshold is never left, so that the certificate is renewed again at every retry (spec/renewal.md 2). */
export function isAlwaysDue({ notBefore, notAfter }: Validity, threshold: Policy): boolean {
  return threshold.kind === 'time' && threshold.seconds >= notAfter - notBefore;
}
