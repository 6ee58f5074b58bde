import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { wrapKeyForTpm } from '../../simulators/dps/index.ts';

const LAUNCHER = resolve(import.meta.dirname, '../../impl/bin/aziotd');

/** What tpmd answered. */
export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, string>>;
}

export const hmac = (key: Uint8Array, data: Uint8Array): string =>
  createHmac('sha256', key).update(data).digest('base64');

function accepts(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(path);
    socket.once('connect', () => done(true)).once('error', () => done(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** What a process of tpmd is started with beside its configuration. */
export interface TpmdOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** `dropped` where reading the log would take time that is measured. */
  readonly log?: 'kept' | 'dropped';
}

/** A tpmd as a process, with a folder and a socket of its own. */
export class Tpmd {
  readonly folder = mkdtempSync(join(tmpdir(), 'tpmd-'));
  log = '';
  #child: ChildProcess | undefined;
  readonly #options: TpmdOptions;

  constructor(options: TpmdOptions = {}) {
    this.#options = options;
  }

  get socket(): string {
    return join(this.folder, 'tpmd.sock');
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Starts it with this configuration. Resolves to `serves`, or to its exit code. */
  async start(config: string): Promise<'serves' | number> {
    const path = join(this.folder, 'config.toml');
    writeFileSync(path, `${config}\n[endpoints]\naziot_tpmd = "unix://${this.socket}"\n`);
    const { env: more, log = 'kept' } = this.#options;
    const env = {
      ...process.env,
      ...more,
      AZIOT_TPMD_CONFIG: path,
      AZIOT_TPMD_CONFIG_DIR: join(this.folder, 'config.d'),
    };
    const child = spawn(LAUNCHER, ['tpmd'], { env, stdio: ['ignore', 'ignore', log === 'kept' ? 'pipe' : 'ignore'] });
    this.#child = child;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.log += text;
    });
    for (;;) {
      if (child.exitCode !== null) return child.exitCode;
      if (await accepts(this.socket)) return 'serves';
      await pause(10);
    }
  }

  stop(): Promise<void> {
    return this.#end('SIGTERM');
  }

  /** Ends it at once, in the middle of what it does. */
  kill(): Promise<void> {
    return this.#end('SIGKILL');
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  }

  async restart(config: string): Promise<'serves' | number> {
    await this.stop();
    this.log = '';
    return this.start(config);
  }

  call(method: string, path: string, body?: unknown): Promise<Answer> {
    return new Promise((done, reject) => {
      const headers = body === undefined ? {} : { 'content-type': 'application/json' };
      const target = `${path}?api-version=2020-09-01`;
      const asking = request({ socketPath: this.socket, method, path: target, headers }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          done({ status: answer.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString() || '{}') });
        });
      });
      asking.on('error', reject);
      asking.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  keys(): Promise<Answer> {
    return this.call('GET', '/get_tpm_keys');
  }

  import(blob: Uint8Array): Promise<Answer> {
    return this.call('POST', '/import_auth_key', { key: Buffer.from(blob).toString('base64') });
  }

  sign(data: Uint8Array): Promise<Answer> {
    return this.call('POST', '/sign_with_auth_key', { data: Buffer.from(data).toString('base64') });
  }

  /** A key wrapped for the TPM, as DPS would send it. */
  async wrap(key: Uint8Array): Promise<Buffer> {
    const { body } = await this.keys();
    const target = {
      endorsementKey: Buffer.from(body['endorsement_key'] ?? '', 'base64'),
      storageRootKey: Buffer.from(body['storage_root_key'] ?? '', 'base64'),
    };
    return wrapKeyForTpm(target, key);
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
