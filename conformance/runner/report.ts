import type { Outcome } from './run.ts';

const WORDS = { passed: 'ok', failed: 'FAILED', skipped: 'skipped' } as const;

/** One line of the table for people; a reason follows on lines of its own. */
export function outcomeLine(outcome: Outcome): string {
  const cells = [outcome.id.padEnd(14), WORDS[outcome.result].padEnd(8), outcome.source.padEnd(14), outcome.text];
  const reason = outcome.reason ? `\n${outcome.reason.replace(/^/gm, '    ')}` : '';
  return cells.join(' ').trimEnd() + reason;
}

/** Numbers of each verdict. */
export function totals(outcomes: readonly Outcome[]): Record<Outcome['result'], number> {
  const count = (result: Outcome['result']) => outcomes.filter((outcome) => outcome.result === result).length;
  return { passed: count('passed'), failed: count('failed'), skipped: count('skipped') };
}

/** The closing line of a run. */
export function summaryLine(outcomes: readonly Outcome[]): string {
  const { passed, failed, skipped } = totals(outcomes);
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}
