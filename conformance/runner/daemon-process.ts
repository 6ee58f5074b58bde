import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { StartPlan } from './start-plan.ts';

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
  readonly #plan: StartPlan;
  #ended: Promise<Ended>;
  #wasStopped = false;

  private constructor(child: ChildProcess, name: string, plan: StartPlan) {
    this.#child = child;
    this.#name = name;
    this.#plan = plan;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log += text;
    });
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve({ code: null, signal: null, log: `${this.#log}${error.message}\n` }));
      child.once('close', (code, signal) => resolve({ code, signal, log: this.#log }));
    });
  }

  /**
   * Starts what the plan says, with the environment of this process less what would configure a daemon.
   * `listenFd` becomes descriptor 3 of the daemon, and `LISTEN_PID` its own pid, as systemd does it.
   */
  static spawn(name: string, plan: StartPlan, listenFd?: number): DaemonProcess {
    const { program, args, argv0, uid } = plan;
    const env = { ...inheritedEnv(), ...plan.env };
    const child =
      listenFd === undefined
        ? spawn(program, args, {
            stdio: ['ignore', 'ignore', 'pipe'],
            env,
            ...(argv0 === undefined ? {} : { argv0 }),
            ...(uid === undefined ? {} : { uid }),
          })
        : spawn('/bin/sh', ['-c', 'LISTEN_PID=$$ exec "$0" "$@"', program, ...args], {
            stdio: ['ignore', 'ignore', 'pipe', listenFd],
            env: { LISTEN_FDS: '1', ...env },
          });
    return new DaemonProcess(child, name, plan);
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

  /** Whether it ended before {@link stop} was called. */
  get hasEndedByItself(): boolean {
    return this.hasEnded && !this.#wasStopped;
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
    const args = this.#plan.killArgs?.(signal);
    if (args) this.#ask(args);
    else this.#child.kill(signal);
  }

  /** SIGTERM (or the driver's way to stop), and SIGKILL after five seconds. */
  async stop(): Promise<Ended> {
    if (!this.hasEnded) {
      this.#wasStopped = true;
      if (this.#plan.stopArgs) this.#ask(this.#plan.stopArgs);
      else this.#child.kill('SIGTERM');
    }
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5_000);
    try {
      return await this.#ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** One more verb of the driver's program; its complaint joins the log. */
  #ask(args: readonly string[]): void {
    const env = { ...inheritedEnv(), ...this.#plan.env };
    execFile(this.#plan.program, args, { env }, (error, _stdout, stderr) => {
      if (error) this.#log += `${this.#plan.program} ${args.join(' ')}: ${stderr || error.message}\n`;
    });
  }

  /** Waits until the log matches. */
  async logged(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = pattern.exec(this.#log);
      if (found) return found;
      if (performance.now() > deadline || this.hasEnded)
        throw new Error(`the log of ${this.#name} does not match ${pattern}; it is:\n${this.#log.slice(-3_000)}`);
      const turn = new AbortController();
      const { signal } = turn;
      const more = once(this.#child.stderr ?? this.#child, 'data', { signal }).catch(() => undefined);
      await Promise.race([more, delay(100, undefined, { signal }).catch(() => undefined)]);
      turn.abort();
    }
  }
}

/** The environment of this process without what would configure a daemon; the Node that the launcher takes may be chosen from outside. */
export function inheritedEnv(env: NodeJS.ProcessEnv = process.env): Record<string, string | undefined> {
  const kept = Object.entries(env).filter(([name]) => !/^(AZIOT_|LISTEN_|NODE_|VITEST)/.test(name));
  const node = env['AZIOT_NODE'];
  return { ...Object.fromEntries(kept), ...(node ? { AZIOT_NODE: node } : {}) };
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
