import { type Clock, type Counters, causeChain, type Logger } from '../process/index.ts';
import { type Attempt, firstAttempt, nextAttempt, type Random, type RenewalRule } from './attempt.ts';
import type { RenewalPolicy } from './policy.ts';
import { isAlwaysDue, isDue, retryPeriod, toSeconds, type Validity } from './schedule.ts';

/** A certificate as it is stored. */
export interface Holding {
  readonly validity: Validity;
  /** Lower-case hex SHA-256 of the leaf. */
  readonly fingerprint: string;
}

/** What a look at the stored certificate found. */
export type Look =
  | { readonly kind: 'held'; readonly holding: Holding }
  | { readonly kind: 'absent' }
  | { readonly kind: 'unusable'; readonly reason: string };

/** A certificate that the engine keeps valid. */
export interface Renewable {
  /** Equal ids replace each other. */
  readonly id: string;
  readonly policy: RenewalPolicy;
  /** Reads what is stored, and finishes a renewal that was cut off. Rejects when that cannot be said now. */
  look(): Promise<Look>;
  /** Gets and stores a new certificate, whole or not at all. Rejects with the old one still stored and usable. */
  renew(signal: AbortSignal): Promise<Holding>;
}

/** Why nothing is planned for a certificate. */
export type IdleReason = 'absent' | 'unusable' | 'replaced';

/** What is known about one certificate. */
export interface RenewalState {
  readonly id: string;
  readonly holding: Holding | undefined;
  /** Milliseconds since 1970; undefined while nothing is planned. */
  readonly nextAttempt: number | undefined;
  readonly rule: RenewalRule | IdleReason | 'first-look';
  /** Tries since the last success. */
  readonly attempts: number;
  readonly renewals: number;
  readonly lastAttempt: number | undefined;
  readonly lastError: string | undefined;
}

type Plan =
  | { readonly kind: 'look' }
  | (Attempt & { readonly kind: 'wait' })
  | (Attempt & { readonly kind: 'retry'; readonly pauseMs: number })
  | { readonly kind: 'idle'; readonly reason: IdleReason };

interface Entry {
  readonly item: Renewable;
  plan: Plan;
  holding: Holding | undefined;
  attempts: number;
  renewals: number;
  lastAttempt: number | undefined;
  lastError: string | undefined;
  /** A threshold that is always reached has been told of. */
  toldAlwaysDue: boolean;
  running: Promise<void> | undefined;
}

/** The wall clock is looked at again after this long at most, so that its steps and a suspended machine take effect. */
const LONGEST_SLEEP_MS = 60_000;
/** Renewals that may be under way at once. */
const PARALLEL = 32;

interface EngineOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly counters: Counters;
}

/**
 * Keeps certificates valid by the wall clock (spec/renewal.md 3): each is looked at when it is added, renewed at the threshold of its
 * policy, and tried again after a failure, faster toward the end, for ever. A certificate that somebody else has replaced is left alone
 * until {@link RenewalEngine.notice}. One that hangs or fails never holds up the others.
 */
export class RenewalEngine {
  readonly #options: EngineOptions;
  #entries = new Map<string, Entry>();
  readonly #stop = new AbortController();
  #wake = new AbortController();
  #running = 0;

  constructor(options: EngineOptions) {
    this.#options = options;
  }

  /** Begins to work, until {@link close}. */
  start(): void {
    void this.#loop();
  }

  /** Ends the loop and every renewal under way; resolves when they have ended. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('certificate renewal is stopping'));
    this.#wake.abort();
    await Promise.allSettled([...this.#entries.values()].map((entry) => entry.running));
  }

  /** Puts a new set in the place of the present one; what is known about ids that stay is kept. Running renewals end by themselves. */
  replaceAll(items: readonly Renewable[]): void {
    const entries = new Map<string, Entry>();
    for (const item of items) entries.set(item.id, entryOf(item, this.#entries.get(item.id)));
    this.#entries = entries;
    this.#wake.abort();
  }

  /** Adds a certificate, or has the one of that id looked at again: it was made, renewed or used. */
  notice(item: Renewable): void {
    const known = this.#entries.get(item.id);
    // a planned retry keeps its time, and what runs looks by itself
    if (known?.plan.kind === 'retry' || known?.running) return;
    this.#entries.set(item.id, entryOf(item, known));
    this.#wake.abort();
  }

  /**
   * Renews now, or joins the renewal under way. Resolves when it is over, however it ended: look at what is stored. An id that is not
   * managed resolves at once.
   */
  async renewNow(id: string): Promise<void> {
    const entry = this.#entries.get(id);
    if (!entry) return;
    await (entry.running ?? this.#begin(entry, 'now'));
  }

  /** What is known about one; undefined when it is not managed. */
  state(id: string): RenewalState | undefined {
    const entry = this.#entries.get(id);
    return entry && stateOf(entry);
  }

  /** What is known, in the order of the ids. */
  states(): RenewalState[] {
    return [...this.#entries.values()].map(stateOf).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  async #loop(): Promise<void> {
    const { clock } = this.#options;
    while (!this.#stop.signal.aborted) {
      this.#wake = new AbortController();
      this.#mendClock(clock.now());
      this.#beginDue(clock.now());
      const signal = AbortSignal.any([this.#wake.signal, this.#stop.signal]);
      await clock.sleep(this.#pause(clock.now()), signal).catch(() => undefined);
    }
  }

  /** A retry that was planned while the clock was ahead must not wait for that time to come again. */
  #mendClock(now: number): void {
    for (const entry of this.#entries.values()) {
      const { plan, holding, item } = entry;
      if (plan.kind === 'retry' && plan.at > now + plan.pauseMs) entry.plan = { ...plan, at: now + plan.pauseMs };
      if (plan.kind !== 'wait' || plan.rule === 'threshold' || !holding) continue;
      if (plan.at > now + retryPeriod(holding.validity, item.policy.retry) * 1000) entry.plan = { kind: 'look' };
    }
  }

  #beginDue(now: number): void {
    const due = [...this.#entries.values()].filter((entry) => !entry.running && timeOf(entry.plan) <= now);
    due.sort((a, b) => timeOf(a.plan) - timeOf(b.plan));
    for (const entry of due) {
      if (this.#running >= PARALLEL) return;
      void this.#begin(entry, 'planned');
    }
  }

  #pause(now: number): number {
    let next = now + LONGEST_SLEEP_MS;
    if (this.#running >= PARALLEL) return LONGEST_SLEEP_MS;
    for (const { plan, running } of this.#entries.values()) if (!running) next = Math.min(next, timeOf(plan));
    // a time that has passed can only be left over when the clock stepped between two looks at it
    return Math.max(50, next - now);
  }

  #begin(entry: Entry, why: 'planned' | 'now'): Promise<void> {
    this.#running++;
    const running = this.#run(entry, why)
      .catch((error: unknown) => this.#failed(entry, why, error))
      .finally(() => {
        this.#running--;
        entry.running = undefined;
        this.#wake.abort();
      });
    entry.running = running;
    return running;
  }

  async #run(entry: Entry, why: 'planned' | 'now'): Promise<void> {
    const { clock, log, counters } = this.#options;
    const { item } = entry;
    const before = entry.holding;
    const look = await item.look();
    if (look.kind !== 'held') {
      this.#rest(entry, look.kind, look.kind === 'unusable' ? look.reason : undefined);
      return;
    }
    const changed = before !== undefined && before.fingerprint !== look.holding.fingerprint;
    // a try that failed may have stored something before it did
    if (why === 'planned' && changed && entry.plan.kind === 'wait') {
      this.#rest(entry, 'replaced', undefined);
      return;
    }
    entry.holding = look.holding;
    const now = clock.now();
    if (!isDue(look.holding.validity, item.policy.threshold, toSeconds(now))) {
      this.#succeeded(entry, look.holding);
      return;
    }
    entry.attempts++;
    entry.lastAttempt = now;
    counters.add('renewal_attempts', { id: item.id });
    log.info(`renewing certificate "${item.id}"`);
    const renewed = await item.renew(this.#stop.signal);
    entry.renewals++;
    counters.add('renewal_successes', { id: item.id });
    this.#succeeded(entry, renewed);
  }

  #succeeded(entry: Entry, holding: Holding): void {
    const { clock, random, log } = this.#options;
    const { item } = entry;
    const again = entry.holding?.fingerprint === holding.fingerprint && entry.plan.kind === 'wait';
    entry.holding = holding;
    entry.attempts = 0;
    entry.lastError = undefined;
    const attempt = firstAttempt(holding.validity, item.policy, clock.now(), random);
    entry.plan = { kind: 'wait', ...attempt };
    if (again) return;
    if (isAlwaysDue(holding.validity, item.policy.threshold) && !entry.toldAlwaysDue) {
      entry.toldAlwaysDue = true;
      log.warn(`threshold of "${item.id}" is as long as its lifetime; it is renewed at each retry`);
    }
    log.info(`certificate "${item.id}" is renewed at ${timeText(attempt.at)}`);
  }

  #failed(entry: Entry, why: 'planned' | 'now', error: unknown): void {
    if (this.#stop.signal.aborted) return;
    const { clock, random, log, counters } = this.#options;
    const next = nextAttempt(entry.holding?.validity, entry.item.policy, clock.now(), random);
    // a try that a use brought with it does not put off the planned one
    const { plan } = entry;
    const keeps = why === 'now' && plan.kind === 'retry' && plan.at < next.at;
    entry.plan = keeps ? plan : { kind: 'retry', ...next };
    entry.lastError = causeChain(error).join(': ');
    counters.add('renewal_failures', { id: entry.item.id });
    log.warn(`could not renew certificate "${entry.item.id}", next try at ${timeText(next.at)}: ${entry.lastError}`);
  }

  #rest(entry: Entry, reason: IdleReason, why: string | undefined): void {
    const { log } = this.#options;
    if (reason !== 'absent' && !(entry.plan.kind === 'idle' && entry.plan.reason === reason)) {
      const text = why ?? 'it was changed since its last renewal';
      log.warn(`certificate "${entry.item.id}" is not renewed until it is used again: ${text}`);
    }
    entry.plan = { kind: 'idle', reason };
    entry.lastError = why;
    if (reason !== 'replaced') entry.holding = undefined;
  }
}

function entryOf(item: Renewable, known: Entry | undefined): Entry {
  return {
    item,
    plan: { kind: 'look' },
    holding: known?.holding,
    attempts: known?.attempts ?? 0,
    renewals: known?.renewals ?? 0,
    lastAttempt: known?.lastAttempt,
    lastError: known?.lastError,
    toldAlwaysDue: known?.toldAlwaysDue ?? false,
    running: undefined,
  };
}

function timeOf(plan: Plan): number {
  if (plan.kind === 'idle') return Number.POSITIVE_INFINITY;
  return plan.kind === 'look' ? Number.NEGATIVE_INFINITY : plan.at;
}

function stateOf({ item, plan, holding, attempts, renewals, lastAttempt, lastError }: Entry): RenewalState {
  const planned = plan.kind === 'wait' || plan.kind === 'retry';
  return {
    id: item.id,
    holding,
    nextAttempt: planned ? plan.at : undefined,
    rule: planned ? plan.rule : plan.kind === 'idle' ? plan.reason : 'first-look',
    attempts,
    renewals,
    lastAttempt,
    lastError,
  };
}

const timeText = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}Z`;
