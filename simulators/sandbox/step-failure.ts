/** The last lines that a daemon logged. */
export interface DaemonLog {
  readonly daemon: string;
  readonly lines: readonly string[];
}

/** What is known of a step of the story that did not succeed. */
export interface FailedStep {
  readonly step: string;
  readonly expected: string;
  readonly came: string;
  readonly remedy: string;
  readonly logs?: readonly DaemonLog[];
}

/** A step of the story did not succeed. The message holds all of it, one fact a line. */
export class StepFailure extends Error {
  readonly failed: FailedStep;

  constructor(failed: FailedStep, options?: ErrorOptions) {
    super(describeFailure(failed), options);
    this.failed = failed;
  }
}

/** The failure for a person, one fact a line. */
function describeFailure({ step, expected, came, remedy, logs = [] }: FailedStep): string {
  const lines = [`step "${step}" failed`, `  expected: ${expected}`, `  came:     ${came}`, `  to do:    ${remedy}`];
  for (const log of logs) {
    lines.push(`  last lines of ${log.daemon}:`, ...log.lines.map((line) => `    ${line}`));
  }
  return lines.join('\n');
}

/** The text of anything that was thrown, with its causes. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const text = error.message === '' ? error.name : error.message;
  return error.cause === undefined ? text : `${text}: ${reasonOf(error.cause)}`;
}
