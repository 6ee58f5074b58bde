/** When to renew, or how long to pause: a share of the certificate's lifetime, or a time. */
export type Policy =
  | { readonly kind: 'percent'; readonly percent: number }
  | { readonly kind: 'time'; readonly seconds: number };

/** How one identity is renewed (spec/renewal.md 1). */
export interface RenewalPolicy {
  /** Make a new key at each renewal. */
  readonly rotateKey: boolean;
  /** Percent: share of the lifetime used up. Time: distance before the end. */
  readonly threshold: Policy;
  /** Pause between tries. Percent: share of the whole lifetime. */
  readonly retry: Policy;
}

/** What a policy text that cannot be used suffers from; `too-long` is one that the reference takes by mistake. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  readonly fault: 'unreadable' | 'too-long';

  constructor(fault: 'unreadable' | 'too-long', message: string) {
    super(message);
    this.fault = fault;
  }
}

const MINUTE = 60n;
const DAY = 86_400n;
const LONGEST = 2n ** 63n - 1n;

/** What holds without any configuration (spec/renewal.md 1). */
export const DEFAULT_POLICY: RenewalPolicy = {
  rotateKey: true,
  threshold: { kind: 'percent', percent: 80 },
  retry: { kind: 'percent', percent: 4 },
};

/**
 * Reads `"80%"` (1 to 99), `"100min"` or `"10day"`: an optional `+`, decimal digits, the unit, nothing else.
 *
 * @throws PolicyError `unreadable`, or `too-long` when the time in seconds does not fit 63 bits.
 */
export function parsePolicy(text: string): Policy {
  const [, digits, unit] = /^\+?(\d{1,19})(%|min|day)$/.exec(text) ?? [];
  const amount = BigInt(digits ?? '0');
  if (amount <= 0n || amount > LONGEST || (unit === '%' && amount >= 100n)) {
    throw new PolicyError('unreadable', `"${text}" is no renewal policy; use 1% to 99%, or a number with min or day`);
  }
  if (unit === '%') return { kind: 'percent', percent: Number(amount) };
  const seconds = amount * (unit === 'day' ? DAY : MINUTE);
  if (seconds > LONGEST) throw new PolicyError('too-long', `renewal policy "${text}" is too long a time`);
  return { kind: 'time', seconds: Number(seconds) };
}

/** The text of a policy: `N%`, `Nday` when whole days, else `Nmin`. */
export function formatPolicy(policy: Policy): string {
  if (policy.kind === 'percent') return `${policy.percent}%`;
  const whole = policy.seconds % Number(DAY) === 0;
  return whole ? `${policy.seconds / Number(DAY)}day` : `${policy.seconds / Number(MINUTE)}min`;
}
