import { execFile } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { DaemonProcess, type Ended, inheritedEnv } from './daemon-process.ts';
import { DAEMONS, type Daemon, type Launch } from './launch.ts';
import { Skipped } from './skipped.ts';
import { adapterEnv, type Start, startPlan } from './start-plan.ts';

const run = promisify(execFile);

/** What one daemon reads at its start. File names below `config.d` as keys of `dropIns`. */
export interface DaemonConfig {
  readonly main?: string;
  readonly dropIns?: Readonly<Record<string, string>>;
}

export interface StartOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** How long the socket may take to appear. */
  readonly readyMs?: number;
  /** As whom the daemon runs; the suite's own user when left out. Only root can choose another. */
  readonly uid?: number;
}

/** Daemons that are started in a way of their own beside the others. */
export type LaunchMix = Readonly<Partial<Record<Daemon, Launch>>>;

const readsEndpoints = ({ driver, fixedSockets }: Launch): boolean =>
  fixedSockets === undefined && driver !== 'aziotd-rust';

/**
 * A folder with the configuration, the sockets and the state of some daemons, all of its own: several worlds run side by side.
 * `@ROOT@` in configuration stands for the folder. The folder is readable for every uid, as callers of other uids pass through it.
 */
export class World {
  readonly root: string;
  /** Environment of every daemon that is started in this world, beside what its start adds. */
  readonly env: Record<string, string> = {};
  readonly #endings: (() => Promise<void>)[] = [];
  readonly #launch: Launch;
  readonly #mix: LaunchMix;
  readonly #running = new Map<Daemon, DaemonProcess>();

  private constructor(root: string, launch: Launch, mix: LaunchMix) {
    this.root = root;
    this.#launch = launch;
    this.#mix = mix;
  }

  /** @param mix daemons that are started in another way than `launch` says */
  static async create(launch: Launch, mix: LaunchMix = {}): Promise<World> {
    const root = await mkdtemp(join(tmpdir(), 'aziot-conformance-'));
    await chmod(root, 0o755);
    const world = new World(root, launch, mix);
    await mkdir(join(root, 'run'), { mode: 0o755 });
    for (const daemon of DAEMONS) {
      await mkdir(world.path(daemon, 'config.d'), { recursive: true });
      await mkdir(world.path(daemon, 'home'), { mode: 0o700 });
    }
    await mkdir(world.path('pre'));
    return world;
  }

  path(...parts: readonly string[]): string {
    return join(this.root, ...parts);
  }

  socket(daemon: Daemon): string {
    if (this.#launch.running) {
      const socket = this.#launch.running[daemon];
      if (socket === undefined) throw new Skipped(`no socket of ${daemon} was given`, 'control');
      return socket;
    }
    return join(this.#launch.fixedSockets ?? this.path('run'), `${daemon}.sock`);
  }

  /** Whether something may be made in daemons that run already. */
  get mayChange(): boolean {
    return this.#launch.mayChange === true;
  }

  /** True when `[endpoints]` decides where the daemons listen. */
  get ownSockets(): boolean {
    return readsEndpoints(this.#launch);
  }

  /** Writes a file below the world's folder, `@ROOT@` replaced. */
  async file(path: string, content: string | Uint8Array, mode = 0o644): Promise<string> {
    const whole = this.path(path);
    await mkdir(dirname(whole), { recursive: true });
    const text = typeof content === 'string' ? content.replaceAll('@ROOT@', this.root) : content;
    await writeFile(whole, text, { mode });
    return whole;
  }

  /** Removes a folder below the world's folder with all that is in it. */
  async clear(path: string): Promise<void> {
    await rm(this.path(path), { recursive: true, force: true });
  }

  /** Writes the daemon's configuration anew: `config.toml` (left out when undefined) and `config.d`, with the endpoints as its last file. */
  async configure(daemon: Daemon, config: DaemonConfig): Promise<void> {
    await rm(this.path(daemon, 'config.d'), { recursive: true, force: true });
    await rm(this.path(daemon, 'config.toml'), { force: true });
    await mkdir(this.path(daemon, 'config.d'));
    if (config.main !== undefined) await this.file(`${daemon}/config.toml`, config.main);
    for (const [name, text] of Object.entries(config.dropIns ?? {}))
      await this.file(`${daemon}/config.d/${name}`, text);
    const launch = this.#launchOf(daemon);
    if (readsEndpoints(launch)) await this.file(`${daemon}/config.d/zz-endpoints.toml`, this.#endpoints());
    if (launch.driver !== 'command') return;
    const env = { ...inheritedEnv(), ...adapterEnv(this.#startOf(daemon, {})) };
    await run(launch.program, ['configure', daemon], { env });
  }

  /** Starts a daemon and waits until it accepts connections; rejects with its log when it ends instead. */
  async start(daemon: Daemon, options: StartOptions = {}): Promise<DaemonProcess> {
    const running = this.launch(daemon, options.env, undefined, options.uid);
    await running.ready(this.socket(daemon), options.readyMs ?? 20_000);
    return running;
  }

  /** Starts a daemon that is expected to end by itself, and gives its exit and log. */
  async startExpectingExit(daemon: Daemon, options: StartOptions = {}): Promise<Ended> {
    return this.launch(daemon, options.env, undefined, options.uid).exit(options.readyMs ?? 20_000);
  }

  /** Starts a daemon and does not wait. `listenFd` is handed over as systemd hands its socket. */
  launch(daemon: Daemon, env: Readonly<Record<string, string>> = {}, listenFd?: number, uid?: number): DaemonProcess {
    const plan = startPlan(this.#launchOf(daemon), this.#startOf(daemon, env, uid));
    const running = DaemonProcess.spawn(`aziot-${daemon}`, plan, listenFd);
    this.#running.set(daemon, running);
    return running;
  }

  /** The process of a started daemon. */
  running(daemon: Daemon): DaemonProcess {
    const running = this.#running.get(daemon);
    if (!running) throw new Error(`${daemon} was not started in this world`);
    return running;
  }

  async stop(daemon: Daemon): Promise<void> {
    const running = this.#running.get(daemon);
    this.#running.delete(daemon);
    await running?.stop();
  }

  async restart(daemon: Daemon, options: StartOptions = {}): Promise<DaemonProcess> {
    await this.stop(daemon);
    return this.start(daemon, options);
  }

  /** Runs when the world ends, after its daemons: for what else was started for it. The last one given runs first. */
  onDispose(end: () => Promise<void>): void {
    this.#endings.unshift(end);
  }

  /** Stops all daemons and removes the folder. */
  async dispose(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((daemon) => this.stop(daemon)));
    for (const end of this.#endings.splice(0)) await end();
    await rm(this.root, { recursive: true, force: true });
  }

  #launchOf(daemon: Daemon): Launch {
    return this.#mix[daemon] ?? this.#launch;
  }

  #startOf(daemon: Daemon, env: Readonly<Record<string, string>>, uid?: number): Start {
    const upper = daemon.toUpperCase();
    const own = {
      [`AZIOT_${upper}_CONFIG`]: this.path(daemon, 'config.toml'),
      [`AZIOT_${upper}_CONFIG_DIR`]: this.path(daemon, 'config.d'),
      ...this.env,
      ...env,
    };
    const start = { daemon, root: this.root, socket: this.socket(daemon), env: own };
    return uid === undefined ? start : { ...start, uid };
  }

  #endpoints(): string {
    return `[endpoints]\n${DAEMONS.map((name) => `aziot_${name} = "unix://${join(this.path('run'), `${name}.sock`)}"\n`).join('')}`;
  }
}
