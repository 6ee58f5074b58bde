/** Pause between the moment a module was found hung and the first trial, and the longest pause between trials. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;

/**
 * Keeps requests from a module that was found hung: while it is open they are refused at once, and the module is tried beside them, after
 * a pause that doubles up to a minute. The first trial that is answered closes it.
 */
export class HangBreaker {
  readonly #now: () => number;
  readonly #firstPauseMs: number;
  #pauseMs = 0;
  #tryAt = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param now milliseconds on a clock that only goes forward. */
  constructor(options: { readonly now?: () => number; readonly firstPauseMs?: number } = {}) {
    this.#now = options.now ?? (() => performance.now());
    this.#firstPauseMs = options.firstPauseMs ?? FIRST_PAUSE_MS;
  }

  /** Whole seconds until it is worth asking again; undefined while requests may pass. */
  get retryAfter(): number | undefined {
    if (this.#timer === undefined) return undefined;
    return Math.max(1, Math.ceil((this.#tryAt - this.#now()) / 1000));
  }

  /** The module was found hung. `trial` asks it again: it rejects where that failed too. */
  open(trial: () => Promise<unknown>): void {
    clearTimeout(this.#timer);
    this.#pauseMs = Math.min(this.#pauseMs === 0 ? this.#firstPauseMs : 2 * this.#pauseMs, LONGEST_PAUSE_MS);
    this.#tryAt = this.#now() + this.#pauseMs;
    const timer = setTimeout(() => {
      trial().then(
        () => this.#timer === timer && this.close(),
        // a trial that hung has opened it anew already
        () => this.#timer === timer && this.open(trial),
      );
    }, this.#pauseMs);
    this.#timer = timer;
  }

  /** The module answers, or nobody will ask it any more. */
  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pauseMs = 0;
  }
}
