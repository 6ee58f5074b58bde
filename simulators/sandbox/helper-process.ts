import { type ChildProcess, spawn } from 'node:child_process';
import { connect } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const READY_WITHIN_MS = 15_000;

/** A program that the sandbox runs beside its daemons. */
export interface Helper {
  /** Ends it at once; it keeps no state that a kill could harm. */
  stop(): Promise<void>;
}

export interface HelperStart {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
  /** Whether it is ready; asked again until it is. */
  readonly ready: () => Promise<boolean>;
}

const running = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

/**
 * Starts a helper in a process group of its own, so that a Ctrl-C reaches the sandbox alone, and waits until it is ready. It ends with
 * this process at the latest.
 *
 * @throws Error with its last words when it ends before
 */
export async function startHelper({ program, args, env, ready }: HelperStart): Promise<Helper> {
  const child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'], env: env ?? process.env });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', (error) => {
      said = error.message;
      resolve();
    });
  });
  const kill = () => void (running(child) && child.kill('SIGKILL'));
  process.on('exit', kill);
  const until = performance.now() + READY_WITHIN_MS;
  while (!(await ready())) {
    if (running(child) && child.pid !== undefined && performance.now() < until) {
      await pause(10);
      continue;
    }
    kill();
    await ended;
    throw new Error(`${program} did not come up: ${said.trim().split('\n').at(-1) || 'it said nothing'}`);
  }
  return {
    stop: async () => {
      kill();
      await ended;
      process.off('exit', kill);
    },
  };
}

/** Whether a Unix socket accepts connections. */
export function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
