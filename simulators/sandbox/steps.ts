import type { Colours } from './colours.ts';
import { reasonOf, StepFailure } from './step-failure.ts';

/** What a step is expected to bring, and what to do where it does not. */
export interface StepPlan {
  readonly name: string;
  /** Shown while it works and when it is done. */
  readonly title: string;
  readonly expected: string;
  readonly remedy: string;
}

/** Where progress goes. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** Runs the steps of the story one after another: tells them, times them, and explains the one that fails. */
export class Steps {
  readonly #out: ProgressOutput;
  readonly #colours: Colours;
  readonly #now: () => number;
  readonly #signal: AbortSignal;
  readonly #timings: Record<string, number> = {};

  /** `now`: milliseconds from any start. `signal` ends the story between two steps. */
  constructor(options: { out: ProgressOutput; colours: Colours; now: () => number; signal: AbortSignal }) {
    this.#out = options.out;
    this.#colours = options.colours;
    this.#now = options.now;
    this.#signal = options.signal;
  }

  /** Milliseconds by step, to a tenth. */
  get timingsMs(): Readonly<Record<string, number>> {
    return { ...this.#timings };
  }

  /**
   * Does one step.
   *
   * @param work resolves to the step's outcome and the words to show for it
   * @throws StepFailure, with the reason in `came` where `work` threw anything else
   */
  async run<T>(plan: StepPlan, work: () => Promise<{ readonly value: T; readonly detail?: string }>): Promise<T> {
    this.#signal.throwIfAborted();
    const { bold, dim, green, red } = this.#colours;
    const isTerminal = this.#out.isTTY === true;
    if (isTerminal) this.#out.write(`  ${dim('…')} ${plan.title}`);
    const clear = isTerminal ? '\r\u001b[K' : '';
    const start = this.#now();
    try {
      const { value, detail } = await work();
      const took = Math.round((this.#now() - start) * 10) / 10;
      this.#timings[plan.name] = took;
      const words = detail === undefined ? '' : `  ${detail}`;
      this.#out.write(`${clear}  ${green('✓')} ${bold(plan.title)}${words} ${dim(`${Math.round(took)} ms`)}\n`);
      return value;
    } catch (error) {
      this.#out.write(this.#signal.aborted ? clear : `${clear}  ${red('✗')} ${bold(plan.title)}\n`);
      if (error instanceof StepFailure || this.#signal.aborted) throw error;
      const { name: step, expected, remedy } = plan;
      throw new StepFailure({ step, expected, came: reasonOf(error), remedy }, { cause: error });
    }
  }

  /** A line beside the steps. */
  note(text: string): void {
    this.#out.write(`  ${this.#colours.dim('·')} ${text}\n`);
  }
}
