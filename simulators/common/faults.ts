/** What may happen in place of a proper answer. An empty body, or another content type, is a `status`. */
export type Fault =
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
    }
  | { readonly kind: 'bad-json' }
  | { readonly kind: 'html' }
  | { readonly kind: 'delay'; readonly milliseconds: number }
  /** Silence until the caller hangs up. */
  | { readonly kind: 'never' }
  | { readonly kind: 'close-mid-body' }
  /** The proper answer, but its body byte by byte with this pause after each. */
  | { readonly kind: 'slow-bytes'; readonly milliseconds: number }
  /** A TCP reset, without an answer. */
  | { readonly kind: 'reset' };

/** When a fault is played: for the next requests that fit, or with a probability for each of them. */
export interface FaultRule {
  readonly fault: Fault;
  /** Only requests whose `METHOD target` contains this text; absent: all. */
  readonly where?: string;
  /** Played for so many requests that fit, then no more. */
  readonly times?: number;
  /** Played with this probability, 0 to 1; 1 where absent. */
  readonly probability?: number;
}

/** The faults of a simulator. The same seed and the same requests give the same faults. */
export interface FaultScript {
  readonly seed: number;
  add(rule: FaultRule): void;
  clear(): void;
  /** The fault to play for this request, if any. */
  next(method: string, target: string): Fault | undefined;
}

/** Mulberry32: a small generator whose whole state is one 32-bit number. */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Makes a script without faults. */
export function createFaultScript({ seed = 1 }: { readonly seed?: number } = {}): FaultScript {
  let rules: { rule: FaultRule; left: number; random: () => number }[] = [];
  return {
    seed,
    add(rule) {
      // each rule draws numbers of its own: requests that only other rules fit do not change what it does
      const random = seeded(seed + 0x9e3779b9 * rules.length);
      rules.push({ rule, left: rule.times ?? Number.POSITIVE_INFINITY, random });
    },
    clear() {
      rules = [];
    },
    next(method, target) {
      for (const entry of rules) {
        if (entry.left <= 0) continue;
        if (entry.rule.where !== undefined && !`${method} ${target}`.includes(entry.rule.where)) continue;
        if (entry.random() >= (entry.rule.probability ?? 1)) continue;
        entry.left--;
        return entry.rule.fault;
      }
      return undefined;
    },
  };
}
