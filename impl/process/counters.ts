/** A counter's value at one set of labels. */
export interface CounterValue {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** The counters of one daemon, all in one place, for whoever exports them. */
export interface Counters {
  /** Adds `by`, 1 unless given, to the counter of that name and these labels. */
  add(name: string, labels?: Readonly<Record<string, string>>, by?: number): void;
  /** All values, in the order of their first use. */
  values(): CounterValue[];
}

/** Makes an empty registry. */
export function createCounters(): Counters {
  const known = new Map<string, { name: string; labels: Readonly<Record<string, string>>; value: number }>();
  return {
    add(name, labels = {}, by = 1) {
      const key = JSON.stringify([name, Object.entries(labels).sort()]);
      const counter = known.get(key);
      if (counter) counter.value += by;
      else known.set(key, { name, labels, value: by });
    },
    values: () => [...known.values()].map((counter) => ({ ...counter })),
  };
}
