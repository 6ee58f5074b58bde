import { createCounters, type Counters as Registry } from '../process/index.ts';

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

/** What keyd counts, by the names above, in the registry that every daemon has. */
export class Counters {
  readonly #registry: Registry;

  constructor(registry: Registry = createCounters()) {
    this.#registry = registry;
  }

  add(name: CounterName): void {
    this.#registry.add(name);
  }

  of(name: CounterName): number {
    return this.#registry.values().find((counter) => counter.name === name)?.value ?? 0;
  }

  /** Every counter, those at zero too. */
  all(): Readonly<Record<string, number>> {
    return Object.fromEntries(NAMES.map((name) => [name, this.of(name)]));
  }
}
