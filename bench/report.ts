import type { Rate } from './load.ts';

/** Median of the numbers; NaN for none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1
    ? (sorted[middle] ?? Number.NaN)
    : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

/** What a table tells of loads. */
export type Figures = Pick<Rate, 'requestsPerSecond' | 'p50' | 'p99' | 'failures'>;

/** Medians of several loads, and all their failures. */
export function medianRate(rates: readonly Rate[]): Figures {
  const middle = (member: keyof Figures) => median(rates.map((rate) => rate[member]));
  const failures = rates.reduce((sum, rate) => sum + rate.failures, 0);
  return { requestsPerSecond: middle('requestsPerSecond'), p50: middle('p50'), p99: middle('p99'), failures };
}

/** A Markdown table, so that a run can be pasted into the README. */
export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** `12.3 k` above a thousand, else whole. */
export function rateText(perSecond: number): string {
  return perSecond >= 1000 ? `${(perSecond / 1000).toFixed(1)} k` : perSecond.toFixed(0);
}
