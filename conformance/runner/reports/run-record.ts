import { readFile } from 'node:fs/promises';
import type { ExpectedDifference } from '../expected.ts';
import type { Outcome } from '../run.ts';

/** One run as it is kept: the json report. `format` grows when a reader of the old one would misread it. */
export interface RunRecord {
  readonly format: 1;
  /** What the implementation is called. */
  readonly implementation: string;
  readonly driver: string;
  /** When the run began, ISO 8601 in UTC. */
  readonly started: string;
  readonly seconds: number;
  readonly ok: boolean;
  readonly strict: boolean;
  /** Whether only a part was asked. */
  readonly narrowed: boolean;
  readonly outcomes: readonly Outcome[];
  /** Failed cases that do not count, and why. */
  readonly tolerated: Readonly<Record<string, string>>;
  readonly stale: readonly ExpectedDifference[];
  /** Ids of "must" cases that should have been judged and could not. */
  readonly notRun: readonly string[];
  /** Command line options that name the thing under test, to run one case again. */
  readonly again: readonly string[];
}

/** @throws Error naming the file when it is no json report of this suite */
export async function loadRecord(path: string): Promise<RunRecord> {
  const value = JSON.parse(await readFile(path, 'utf8')) as Partial<RunRecord>;
  if (value.format !== 1 || !Array.isArray(value.outcomes))
    throw new Error(`${path} is no json report of aziot-conformance`);
  return value as RunRecord;
}

/** The command that runs one case of a record again. */
export function againCommand({ again }: RunRecord, id: string): string {
  const quoted = (text: string) => (/^[\w./:=,@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  return ['npx aziot-conformance run', ...again.map(quoted), '--only', quoted(id)].join(' ');
}
