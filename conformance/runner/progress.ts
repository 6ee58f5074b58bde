import type { Outcome } from './run.ts';

const WORDS = { passed: 'ok', failed: 'FAILED', skipped: 'not run' } as const;

/** One line of the table for people; a reason follows on lines of its own. */
function outcomeLine(outcome: Outcome): string {
  const cells = [outcome.id.padEnd(18), WORDS[outcome.result].padEnd(8), outcome.source.padEnd(14), outcome.text];
  const reason = outcome.reason ? `\n${outcome.reason.replace(/^/gm, '    ')}` : '';
  return cells.join(' ').trimEnd() + reason;
}

/** Numbers of each verdict. */
export function totals(outcomes: readonly Outcome[]): Record<Outcome['result'], number> {
  const count = (result: Outcome['result']) => outcomes.filter((outcome) => outcome.result === result).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** Tells how far a run is: one line that is written over on a terminal, one line a case elsewhere. */
export class Progress {
  readonly #screen: Screen;
  readonly #whole: number;
  readonly #quiet: boolean;
  #done = 0;
  #failed = 0;

  constructor(screen: Screen, whole: number, { quiet }: { readonly quiet: boolean }) {
    this.#screen = screen;
    this.#whole = whole;
    this.#quiet = quiet;
  }

  tell(outcome: Outcome): void {
    this.#done += 1;
    if (outcome.result === 'failed') this.#failed += 1;
    if (this.#screen.isTTY && !this.#quiet) {
      const line = `[${this.#done}/${this.#whole}] ${this.#failed} failed  ${outcome.id} ${outcome.text}`;
      const kept = outcome.result === 'failed' ? `${outcomeLine(outcome)}\n` : '';
      this.#screen.write(`\r\u001b[2K${kept}${line.slice(0, (this.#screen.columns ?? 80) - 1)}`);
      return;
    }
    if (this.#quiet && outcome.result !== 'failed') return;
    this.#screen.write(
      `[${String(this.#done).padStart(String(this.#whole).length)}/${this.#whole}] ${outcomeLine(outcome)}\n`,
    );
  }

  end(): void {
    if (this.#screen.isTTY && !this.#quiet) this.#screen.write('\r\u001b[2K');
  }
}
