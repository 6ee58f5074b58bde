import type { Daemon } from './daemon-process.ts';
import type { DaemonLog } from './step-failure.ts';

/** Errors and warnings, and the causes that follow them on lines of their own (transport.md 10). */
const TROUBLE = /^<[34]>|^[^<]*(?:caused by|Error:)/;
/** Causes of refused requests: often ordinary, as when a daemon asks whether a key is there. */
const REFUSAL = /^<6>[^ ]+ \[INFO\] - !!! /;
const SHOWN = 6;

function matching(daemons: readonly Daemon[], pattern: RegExp): DaemonLog[] {
  return daemons
    .map(({ name, logTail }) => ({
      daemon: name,
      lines: logTail(200)
        .filter((line) => pattern.test(line))
        .slice(-SHOWN),
    }))
    .filter(({ lines }) => lines.length > 0);
}

/**
 * From what the daemons logged, the lines that tell a person most: errors and warnings of each; where there are none,
 * refusals; where there are none either, the last words of `concerned`.
 */
export function troubleIn(daemons: readonly Daemon[], concerned: Daemon | undefined): readonly DaemonLog[] {
  const trouble = matching(daemons, TROUBLE);
  if (trouble.length > 0) return trouble;
  const refusals = matching(daemons, REFUSAL);
  if (refusals.length > 0 || concerned === undefined) return refusals;
  return [{ daemon: concerned.name, lines: concerned.logTail(SHOWN) }];
}
