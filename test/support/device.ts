import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LAUNCHER = resolve(import.meta.dirname, '../../impl/bin/aziotd');
const SOFTHSM_MODULES = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'];

export type DaemonName = 'keyd' | 'certd' | 'identityd';

/** Path of SoftHSM's module, where it is installed. */
export const softHsmModule = SOFTHSM_MODULES.find(existsSync);

/** What a daemon answered; the body parsed where it is JSON. */
export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the tests look into answers of many shapes
  readonly body: any;
  /** Seconds, where the answer has a `Retry-After`. */
  readonly retryAfter?: string;
}

interface Running {
  readonly child: ChildProcess;
  log: string;
}

/** A device in a folder of its own: configurations, daemons as processes, calls as any uid. */
export class Device {
  readonly root = mkdtempSync(join(tmpdir(), 'device-'));
  readonly env: Record<string, string> = {};
  readonly #running = new Map<DaemonName, Running>();

  constructor() {
    for (const name of ['keyd', 'certd', 'identityd', 'files']) mkdirSync(this.path(name));
    execFileSync('chmod', ['0755', this.root]);
  }

  path(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  socket(name: DaemonName): string {
    return this.path(`${name}.sock`);
  }

  /** Writes a file below `files` and answers its path. */
  file(name: string, content: string | Buffer): string {
    writeFileSync(this.path('files', name), content, { mode: 0o600 });
    return this.path('files', name);
  }

  /** Writes the daemon's main configuration; the endpoints are added. */
  configure(name: DaemonName, toml: string): void {
    const endpoints = (['keyd', 'certd', 'identityd'] as const).map(
      (each) => `aziot_${each} = "unix://${this.socket(each)}"`,
    );
    writeFileSync(this.path(`${name}.toml`), `${toml}\n[endpoints]\n${endpoints.join('\n')}\n`);
  }

  /** Makes a SoftHSM token of its own and answers the lines for `[aziot_keys]`. */
  token(pin = '1234'): string {
    mkdirSync(this.path('tokens'));
    const conf = this.file(
      'softhsm2.conf',
      `directories.tokendir = ${this.path('tokens')}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    );
    this.env['SOFTHSM2_CONF'] = conf;
    const args = ['--init-token', '--free', '--label', 'device', '--so-pin', '12345678', '--pin', '1234'];
    execFileSync('softhsm2-util', args, { env: { ...process.env, ...this.env }, stdio: 'ignore' });
    return `pkcs11_lib_path = "${softHsmModule}"\npkcs11_base_slot = "pkcs11:token=device?pin-value=${pin}"`;
  }

  /** Starts a daemon process; resolves when it serves, or when it ended. */
  async start(name: DaemonName): Promise<void> {
    const variable = `AZIOT_${name.toUpperCase()}_CONFIG`;
    const env = {
      ...process.env,
      ...this.env,
      [variable]: this.path(`${name}.toml`),
      [`${variable}_DIR`]: this.path(`${name}.d`),
    };
    rmSync(this.socket(name), { force: true });
    const child = spawn(LAUNCHER, [name], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const running: Running = { child, log: '' };
    child.stderr?.on('data', (chunk) => {
      running.log += chunk;
    });
    this.#running.set(name, running);
    await until(
      async () => child.exitCode !== null || (await listens(this.socket(name))),
      15_000,
      () => `${name} neither serves nor ended:\n${running.log}`,
    );
  }

  log(name: DaemonName): string {
    return this.#running.get(name)?.log ?? '';
  }

  /** Waits until the daemon's log has this. */
  async logged(name: DaemonName, pattern: RegExp, limitMs = 15_000): Promise<void> {
    await until(
      () => pattern.test(this.log(name)),
      limitMs,
      () => `${name} did not log ${pattern}:\n${this.log(name)}`,
    );
  }

  alive(name: DaemonName): boolean {
    const child = this.#running.get(name)?.child;
    return child !== undefined && child.exitCode === null && child.signalCode === null;
  }

  pid(name: DaemonName): number {
    return this.#running.get(name)?.child.pid ?? 0;
  }

  /** Ends a daemon and resolves to its exit code. */
  async stop(name: DaemonName, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#running.get(name)?.child;
    if (!child || !this.alive(name)) return child?.exitCode ?? null;
    const gone = new Promise<number | null>((done) => child.once('exit', (code) => done(code)));
    child.kill(signal);
    return gone;
  }

  /** Calls a daemon, as another uid where one is given (root only: the kernel notes the effective uid at connect). */
  call(name: DaemonName, method: string, target: string, body?: unknown, uid?: number): Promise<Answer> {
    return new Promise((done, fail) => {
      if (uid !== undefined) process.seteuid?.(uid);
      const socket = connect(this.socket(name));
      if (uid !== undefined) process.seteuid?.(0);
      socket.on('error', fail);
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers =
        text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const sent = request({ method, path: target, headers, createConnection: () => socket }, (answer) => {
        let got = '';
        answer.on('data', (chunk) => {
          got += chunk;
        });
        answer.on('end', () => {
          socket.destroy();
          const { 'retry-after': retryAfter } = answer.headers;
          const body = got === '' ? undefined : JSON.parse(got);
          done({ status: answer.statusCode ?? 0, body, ...(retryAfter === undefined ? {} : { retryAfter }) });
        });
      });
      sent.on('error', fail);
      sent.end(text);
    });
  }

  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name, 'SIGKILL')));
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Whether somebody accepts connections there; a socket file alone says less. */
function listens(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path, () => {
      socket.destroy();
      done(true);
    });
    socket.on('error', () => done(false));
  });
}

/** Polls until the check holds; fails with the text when the limit passes first. */
export async function until(
  check: () => boolean | Promise<boolean>,
  limitMs: number,
  text: () => string,
): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error(text());
    await new Promise((done) => setTimeout(done, 20));
  }
}

export const KEYD_V = 'api-version=2021-05-01';
export const CERTD_V = 'api-version=2020-09-01';
export const IDENTITYD_V = 'api-version=2021-12-01';
