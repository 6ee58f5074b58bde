import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

/** tpmd runs where the device proves itself by a TPM. */
export type DaemonName = 'keyd' | 'certd' | 'identityd' | 'tpmd';

/** How a daemon ended. */
export type Exit = { readonly code: number } | { readonly signal: string } | { readonly error: string };

/** A running daemon, or one that has ended. */
export interface Daemon {
  readonly name: DaemonName;
  readonly pid: number;
  readonly socketPath: string;
  /** How it ended; undefined while it runs. */
  readonly exit: () => Exit | undefined;
  /** Settles when it has ended. */
  readonly ended: Promise<Exit>;
  /** The last lines that it logged, at most `count`. */
  readonly logTail: (count: number) => readonly string[];
  /** Asks it to end, and ends it after `graceMs`. */
  readonly stop: (graceMs: number) => Promise<void>;
}

export interface DaemonStart {
  readonly name: DaemonName;
  readonly aziotd: string;
  readonly env: NodeJS.ProcessEnv;
  readonly socketPath: string;
}

const KEPT_LINES = 200;

/** Starts a daemon in the foreground of a process group of its own, so that a Ctrl-C reaches the sandbox alone. */
export function startDaemon({ name, aziotd, env, socketPath }: DaemonStart): Daemon {
  const full = `aziot-${name}`;
  const child = spawn(aziotd, [full], { argv0: full, env, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  const lines = keepLines(child);
  let exit: Exit | undefined;
  const ended = new Promise<Exit>((resolve) => {
    const end = (how: Exit) => {
      exit ??= how;
      resolve(exit);
    };
    child.once('error', (error) => end({ error: error.message }));
    // `close` comes after the last line of the log, `exit` may come before
    child.once('close', (code, signal) => end(signal === null ? { code: code ?? 0 } : { signal }));
  });
  return {
    name,
    pid: child.pid ?? 0,
    socketPath,
    exit: () => exit,
    ended,
    logTail: (count) => lines.slice(-count),
    stop: async (graceMs) => {
      if (exit !== undefined) return;
      child.kill('SIGTERM');
      const late = new AbortController();
      const overdue = pause(graceMs, 'late' as const, { signal: late.signal }).catch(() => undefined);
      if ((await Promise.race([ended, overdue])) === 'late') child.kill('SIGKILL');
      late.abort();
      await ended;
    },
  };
}

function keepLines(child: ChildProcess): string[] {
  const lines: string[] = [];
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = (parts.pop() ?? '').slice(-10_000);
    lines.push(...parts);
    lines.splice(0, Math.max(0, lines.length - KEPT_LINES));
  });
  child.stderr?.on('end', () => {
    if (rest !== '') lines.push(rest);
  });
  return lines;
}

/** An exit for a person. */
export function describeExit(exit: Exit): string {
  if ('error' in exit) return `could not be started: ${exit.error}`;
  return 'signal' in exit ? `was ended by ${exit.signal}` : `ended with exit code ${exit.code}`;
}

function accepts(socketPath: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketPath);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/**
 * Waits until the daemon answers on its socket. Resolves to what stood in the way, or to undefined.
 *
 * @throws the reason of `signal` once that is aborted
 */
export async function whenListening(
  daemon: Daemon,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const until = performance.now() + timeoutMs;
  while (performance.now() < until) {
    signal.throwIfAborted();
    const exit = daemon.exit();
    if (exit !== undefined) return `${daemon.name} ${describeExit(exit)}`;
    if (await accepts(daemon.socketPath)) return undefined;
    await pause(5);
  }
  return `${daemon.name} did not open ${daemon.socketPath} within ${timeoutMs / 1000} s`;
}
