/** One request that a simulator saw, with what came of it. */
export interface JournalEntry {
  /** Milliseconds since 1970 UTC at arrival. */
  readonly time: number;
  readonly service: string;
  readonly method: string;
  /** Request target as received. */
  readonly target: string;
  /** Header names and values as received, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Subjects of the TLS client chain, leaf first. */
  readonly clientChain: readonly string[];
  /** The connection that it came over, counted from 1 at each front door, and what TLS said of it. */
  readonly connection?: { readonly number: number; readonly protocol: string; readonly serverName: string | undefined };
  /** Whom the credential proved the caller to be, where it did. */
  principal?: string;
  /** Name of the fault that was played in place of an answer. */
  fault?: string;
  /** Status that was answered; absent while in progress or where the connection was cut. */
  status?: number;
  /** Why the caller was refused, in words that the caller does not get. */
  reason?: string;
}

const MOST_ENTRIES = 10_000;

/** The requests of a simulator, oldest first; the oldest are forgotten beyond a bound. */
export interface Journal {
  append(entry: JournalEntry): JournalEntry;
  list(): readonly JournalEntry[];
  /**
   * The oldest request that fits, as soon as its outcome is known to fit.
   *
   * @param limit how long to wait, 10 s by default; the promise rejects after that.
   */
  wait(fits: (entry: JournalEntry) => boolean, limit?: { readonly milliseconds: number }): Promise<JournalEntry>;
  clear(): void;
}

const LONGEST_WAIT_MS = 10_000;
const LOOK_EVERY_MS = 5;

/** Makes an empty journal. Bodies and headers are kept as they came, credentials included: do not print them. */
export function createJournal(): Journal {
  let entries: JournalEntry[] = [];
  return {
    append(entry) {
      entries.push(entry);
      if (entries.length > MOST_ENTRIES) entries.shift();
      return entry;
    },
    list: () => entries,
    wait(fits, { milliseconds } = { milliseconds: LONGEST_WAIT_MS }) {
      const until = performance.now() + milliseconds;
      return new Promise((resolve, reject) => {
        // entries are filled in while their request is served, so looking again is what finds a late fault or status
        const look = () => {
          const entry = entries.find(fits);
          if (entry) resolve(entry);
          else if (performance.now() >= until) reject(new Error(`no such request within ${milliseconds} ms`));
          else setTimeout(look, LOOK_EVERY_MS);
        };
        look();
      });
    },
    clear() {
      entries = [];
    },
  };
}
