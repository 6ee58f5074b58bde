/** What keyd counts since its start. */
export type CounterName =
  /** Symmetric keys that went to a file because the token could not hold them. */
  | 'token_fallbacks'
  /** Such keys that were refused, with `fallback = "refuse"`. */
  | 'token_fallbacks_refused'
  /** Token hosts that crashed, or were stopped because their module did not answer. */
  | 'token_host_ends'
  /** Requests to a token that failed. */
  | 'token_failures'
  /** PINs that a token refused. */
  | 'pin_refusals';

const NAMES: readonly CounterName[] = [
  'token_fallbacks',
  'token_fallbacks_refused',
  'token_host_ends',
  'token_failures',
  'pin_refusals',
];

/** Counts events by name. */
export class Counters {
  readonly #counts = new Map<CounterName, number>();

  add(name: CounterName): void {
    this.#counts.set(name, this.of(name) + 1);
  }

  of(name: CounterName): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Every counter, those at zero too. */
  all(): Readonly<Record<string, number>> {
    return Object.fromEntries(NAMES.map((name) => [name, this.of(name)]));
  }
}
