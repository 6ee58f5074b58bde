import { write, writeSync } from 'node:fs';
import type { LogLevel } from './logger.ts';

/** What may wait to be written before lines are dropped: a reader that stopped must not eat the daemon's memory. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024;

/** Info lines of the requests are gathered for this long, or until they are this many; what matters more is written at once. */
const GATHER_MS = 20;
const GATHER_BYTES = 64 * 1024;

/** Where log lines go: gathered and written without blocking the event loop. */
export interface LogOutput {
  write(line: string, level: LogLevel): void;
  /** Writes at once what waits; for the end of the process. */
  flush(): void;
}

/** Gathers lines into few writes to the descriptor. */
export function logOutput(fd: number): LogOutput {
  /** Grows by pieces that are copied once, when it is written. */
  let waiting = '';
  let dropped = 0;
  /** A write is under way. */
  let busy = false;
  let gathering: NodeJS.Timeout | undefined;
  let urgent = false;

  const take = (): Buffer => {
    const note =
      dropped > 0 ? `<4>${new Date().toISOString().slice(0, 19)}Z [WARN] - ${dropped} log lines were dropped\n` : '';
    const text = Buffer.from(waiting + note);
    waiting = '';
    dropped = 0;
    return text;
  };

  const pump = (rest: Buffer) => {
    if (rest.length === 0) {
      busy = false;
      if (waiting.length > 0) schedule();
      return;
    }
    write(fd, rest, (error, written) => {
      if (error && (error.code === 'EAGAIN' || error.code === 'EINTR')) setTimeout(() => pump(rest), 10);
      else pump(error ? Buffer.alloc(0) : rest.subarray(written));
    });
  };

  const begin = () => {
    clearTimeout(gathering);
    gathering = undefined;
    urgent = false;
    busy = true;
    setImmediate(() => pump(take()));
  };

  const schedule = () => {
    if (urgent || waiting.length > GATHER_BYTES) begin();
    else gathering ??= setTimeout(begin, GATHER_MS);
  };

  return {
    write(line, level) {
      if (waiting.length > MOST_WAITING_BYTES) {
        dropped++;
        return;
      }
      waiting += line;
      urgent ||= level === 'error' || level === 'warn';
      if (!busy) schedule();
    },
    flush() {
      try {
        writeSync(fd, take());
      } catch {
        // the reader of the log is gone; there is nobody left to tell
      }
    },
  };
}
