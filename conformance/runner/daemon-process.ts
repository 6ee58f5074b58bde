import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Daemon } from './launch.ts';

/** How a process ended, and all it wrote to stderr. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly log: string;
}

/** A daemon under test as a separate process. Its stderr is kept as its log. */
export class DaemonProcess {
  readonly #child: ChildProcess;
  readonly #name: string;
  #log = '';
  #ended: Promise<Ended>;

  private constructor(child: ChildProcess, name: string) {
    this.#child = child;
    this.#name = name;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, log: `${this.#log}${error.message}\n` }));
      child.once('close', (code, signal) => resolve({ code, signal, log: this.#log }));
    });
  }

  /**
   * Starts `program` with the environment of this process (less what would configure a daemon) and `env`.
   * `listenFd` becomes descriptor 3 of the daemon, and `LISTEN_PID` its own pid, as systemd does it.
   */
  static spawn(
    program: string,
    daemon: Daemon,
    env: Readonly<Record<string, string>>,
    listenFd?: number,
  ): DaemonProcess {
    const inherited = Object.entries(process.env).filter(([name]) => !/^(AZIOT_|LISTEN_|NODE_|VITEST)/.test(name));
    const whole = { ...Object.fromEntries(inherited), ...nodeOf(process.env), ...env };
    const child =
      listenFd === undefined
        ? spawn(program, [daemon], { argv0: `aziot-${daemon}`, stdio: ['ignore', 'ignore', 'pipe'], env: whole })
        : spawn('/bin/sh', ['-c', 'LISTEN_PID=$$ exec "$0" "$1"', program, daemon], {
            stdio: ['ignore', 'ignore', 'pipe', listenFd],
            env: { LISTEN_FDS: '1', ...whole },
          });
    return new DaemonProcess(child, `aziot-${daemon}`);
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new Error(`${this.#name} could not be started: ${this.#log}`);
    return pid;
  }

  get log(): string {
    return this.#log;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }

  /** Waits until the socket accepts a connection. */
  async ready(socketPath: string, timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while (!this.hasEnded && performance.now() < deadline) {
      if (await accepts(socketPath)) return;
      await delay(20);
    }
    const why = this.hasEnded ? 'ended at its start' : `did not listen on ${socketPath} within ${timeoutMs} ms`;
    await this.stop();
    throw new Error(`${this.#name} ${why}; its log:\n${this.#log}`);
  }

  /** Waits for the end of the process, and rejects when it is still there after `timeoutMs` (it is killed then). */
  async exit(timeoutMs: number): Promise<Ended> {
    const timer = new AbortController();
    const late = delay(timeoutMs, undefined, { signal: timer.signal }).then(
      () => undefined,
      () => undefined,
    );
    const ended = await Promise.race([this.#ended, late]);
    timer.abort();
    if (ended) return ended;
    this.kill('SIGKILL');
    throw new Error(`${this.#name} did not end within ${timeoutMs} ms; its log:\n${this.#log}`);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGTERM, and SIGKILL after five seconds. */
  async stop(): Promise<Ended> {
    if (!this.hasEnded) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Waits until the log matches. */
  async logged(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(this.#log);
      if (found) return found;
      if (performance.now() > deadline || this.hasEnded)
        throw new Error(`the log of ${this.#name} does not match ${pattern}; it is:\n${this.#log.slice(-3_000)}`);
      await Promise.race([once(this.#child.stderr ?? this.#child, 'data'), delay(100)]);
    }
  }
}

/** The Node that the launcher is to take may be chosen from outside. */
function nodeOf(env: NodeJS.ProcessEnv): Record<string, string> {
  const node = env['AZIOT_NODE'];
  return node ? { AZIOT_NODE: node } : {};
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
