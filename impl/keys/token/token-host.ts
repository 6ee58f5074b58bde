import { type ChildProcess, spawn } from 'node:child_process';
import type { Duplex } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { ServiceError } from '../../ipc/index.ts';
import type { Logger } from '../../process/index.ts';
import type { Counters } from '../counters.ts';
import { CHANNEL_FD, Channel } from './channel.ts';
import { HangBreaker } from './hang-breaker.ts';
import {
  type ForgetPins,
  type HostAnswer,
  type HostReady,
  type HostRequest,
  type HostSetup,
  type TokenAddress,
  type TokenOutcome,
  type TokenTask,
  tokenName,
} from './messages.ts';

/** Longest wait for an answer, below the 30 s that the services' clients wait. */
const DEADLINE_MS = 20_000;
/** Making a key pair in a slow TPM takes long. */
const MAKING_DEADLINE_MS = 120_000;
/** A host that lived shorter than this is not started again for as long: a module that crashes at once must not burn the machine. */
const RESTART_PAUSE_MS = 1000;
/** How long a host may take to start. */
const START_MS = 60_000;
/** How long a host may take to end when keyd stops. */
const STOP_MS = 2000;

const HOST_SCRIPT = fileURLToPath(new URL('./host-main.ts', import.meta.url));

/** A token host that runs. */
interface Host {
  readonly child: ChildProcess;
  readonly channel: Channel<HostSetup | HostRequest | ForgetPins, HostAnswer | HostReady>;
}

interface Waiting {
  readonly resolve: (result: TokenOutcome) => void;
  readonly reject: (error: Error) => void;
  readonly limitMs: number;
  readonly address: TokenAddress;
  readonly task: TokenTask;
  /** Runs as soon as the host has started. */
  timer?: NodeJS.Timeout;
}

/** Tasks that change nothing, so that they may be done once more. */
const REPEATABLE: ReadonlySet<TokenTask['task']> = new Set([
  'open',
  'list',
  'has-secret',
  'hmac',
  'seal',
  'open-sealed',
  'pair',
  'sign',
]);

/** Asked again of a module that hung: the task in which it did, where that changes nothing. */
const trialOf = (task: TokenTask): TokenTask => (REPEATABLE.has(task.task) ? task : { task: 'list' });

/** What callers read of a request that was in flight: nothing of the module's own. */
const LATE = 'the token did not answer in time';
const ENDED = 'the process that serves the token has ended';

/** The 503 of a request for which the module is not asked. */
const tokenAway = (why: string, retryAfter: number): ServiceError =>
  new ServiceError('token-away', { cause: new Error(why), retryAfter });

/** keyd's end of the channel. */
const channelOf = (child: ChildProcess): Duplex => child.stdio[CHANNEL_FD] as Duplex;

const withoutActivation = (env: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('LISTEN_')));

/**
 * keyd's side of the token host: starts the child on first use, gives each task a deadline, kills a child that misses it, and starts
 * another. Tasks in flight of a child that ends are rejected; nothing else of keyd waits for them. While the module is known to hang, tasks
 * are rejected at once (503) and it is tried again beside them.
 */
export class TokenHost {
  readonly #modulePath: string;
  readonly #log: Logger;
  readonly #env: NodeJS.ProcessEnv;
  readonly #script: string;
  readonly #deadlineMs: number;
  readonly #waiting = new Map<number, Waiting>();
  readonly #counters: Counters;
  /** Tokens that refused their PIN. */
  readonly #refusedPins = new Set<string>();
  readonly #breaker = new HangBreaker();
  #running: Host | undefined;
  /** The child that has started. */
  #ready: ChildProcess | undefined;
  #starting: NodeJS.Timeout | undefined;
  #next = 0;
  #startedAt = 0;
  #notBefore = 0;
  #stopping = false;

  constructor(options: {
    readonly modulePath: string;
    readonly log: Logger;
    readonly counters: Counters;
    readonly env: Readonly<Record<string, string | undefined>>;
    /** Another program in place of the token host; for tests of its faults. */
    readonly script?: string;
    readonly deadlineMs?: number;
  }) {
    this.#modulePath = options.modulePath;
    this.#log = options.log;
    this.#counters = options.counters;
    this.#env = withoutActivation(options.env);
    this.#script = options.script ?? HOST_SCRIPT;
    this.#deadlineMs = options.deadlineMs ?? DEADLINE_MS;
  }

  /**
   * Runs a task on a token. Rejects where the token, its module or the host failed; the message names no PIN. Rejects with the 503 of
   * `token-away` where the module was not asked, as it hangs or has just crashed.
   */
  async run(address: TokenAddress, task: TokenTask): Promise<Exclude<TokenOutcome, { outcome: 'failed' }>> {
    const { retryAfter } = this.#breaker;
    if (retryAfter !== undefined) {
      this.#counters.add('token_failures');
      throw tokenAway('the PKCS#11 module did not answer; it is tried again beside the requests', retryAfter);
    }
    const token = tokenName(address.slot);
    if (task.task !== 'open' && this.#refusedPins.has(token)) {
      throw new Error(`${token} refused the PIN before; set the right one in the configuration`);
    }
    try {
      const result = await this.#ask(address, task);
      if (result.outcome !== 'failed') return result;
      if (result.pinRefused) this.#latch(token);
      throw new Error(`${token}: ${task.task} failed: ${result.reason}`);
    } catch (error) {
      this.#counters.add('token_failures');
      throw error;
    }
  }

  /** Resolves where the module answers at all. */
  async #try(address: TokenAddress, task: TokenTask): Promise<void> {
    const token = tokenName(address.slot);
    if (this.#refusedPins.has(token)) return;
    const result = await this.#ask(address, task);
    if (result.outcome === 'failed' && result.pinRefused) this.#latch(token);
  }

  /** After a change of the configuration of tokens: a login is tried again where a PIN was refused. */
  forgetRefusedPins(): void {
    this.#refusedPins.clear();
    this.#running?.channel.send({ forgetPins: true });
  }

  #latch(token: string): void {
    if (this.#refusedPins.has(token)) return;
    this.#refusedPins.add(token);
    this.#counters.add('pin_refusals');
    this.#log.error(`${token} refused the PIN; no other login is tried until the configuration has another one`);
  }

  /** Ends the child. */
  async close(): Promise<void> {
    this.#stopping = true;
    this.#breaker.close();
    if (!this.#running) return;
    const { child } = this.#running;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
    channelOf(child).end();
    await ended;
    clearTimeout(timer);
  }

  #ask(address: TokenAddress, task: TokenTask): Promise<TokenOutcome> {
    const { child, channel } = this.#started();
    const id = this.#next++;
    const making = task.task === 'make-pair' || task.task === 'make-secret';
    const limitMs = making ? Math.max(this.#deadlineMs, MAKING_DEADLINE_MS) : this.#deadlineMs;
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { resolve, reject, limitMs, address, task };
      this.#waiting.set(id, waiting);
      if (this.#ready === child) this.#setTimer(child, waiting);
      channel.send({ id, address: { slot: address.slot, pin: address.pin }, task });
    });
  }

  #setTimer(child: ChildProcess, waiting: Waiting): void {
    const { address, task, limitMs } = waiting;
    waiting.timer = setTimeout(() => {
      this.#breaker.open(() => this.#try(address, trialOf(task)));
      this.#end(child, `the PKCS#11 module did not answer ${task.task} within ${limitMs} ms and was stopped`, LATE);
    }, limitMs);
  }

  /** The time that a process needs to start on a busy machine is not the module's. */
  #start(child: ChildProcess): void {
    if (this.#running?.child !== child) return;
    clearTimeout(this.#starting);
    this.#ready = child;
    for (const waiting of this.#waiting.values()) this.#setTimer(child, waiting);
  }

  #started(): Host {
    if (this.#running) return this.#running;
    if (this.#stopping) throw new Error('keyd is stopping');
    if (performance.now() < this.#notBefore) {
      throw tokenAway('the token host has just ended; it is started again in a second', 1);
    }
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', this.#script], {
      env: this.#env,
      stdio: ['ignore', 'ignore', 'inherit', 'pipe'],
    });
    const channel = new Channel<HostSetup | HostRequest | ForgetPins, HostAnswer | HostReady>(
      channelOf(child),
      (message) => {
        if ('ready' in message) this.#start(child);
        else this.#settle(message);
      },
    );
    this.#running = { child, channel };
    this.#startedAt = performance.now();
    child.on('error', (error) => this.#end(child, `the token host failed: ${error.message}`));
    child.on('exit', (code, signal) => this.#end(child, `the token host ended (${signal ?? `exit code ${code}`})`));
    channel.send({ modulePath: this.#modulePath });
    this.#starting = setTimeout(() => this.#end(child, `the token host did not start within ${START_MS} ms`), START_MS);
    return this.#running;
  }

  #settle({ id, result }: HostAnswer): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    this.#waiting.delete(id);
    clearTimeout(waiting.timer);
    waiting.resolve(result);
  }

  /** @param told what the callers of requests in flight read. */
  #end(child: ChildProcess, reason: string, told = ENDED): void {
    if (this.#running?.child !== child) return;
    this.#running = undefined;
    clearTimeout(this.#starting);
    const now = performance.now();
    if (now - this.#startedAt < RESTART_PAUSE_MS) this.#notBefore = now + RESTART_PAUSE_MS;
    child.kill('SIGKILL');
    if (!this.#stopping) {
      this.#counters.add('token_host_ends');
      this.#log.error(`${reason}; ${this.#waiting.size} requests to the token failed`);
    }
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new ServiceError('internal', { reasons: [told], cause: new Error(reason) }));
    }
    this.#waiting.clear();
  }
}
