/** A folder with keys, a stand-in for keyd, and ways to run programs against them. */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Behaviour, KeyFile, Order, Recorded, Report } from './stand-in-messages.ts';

export const room = path.join(import.meta.dirname, '..');
export const engineFile = path.join(room, 'build', 'aziot_keys.so');

/** Builds the engine; throws with the one line that build.sh says when it cannot. */
export function buildEngine(): void {
  execFileSync(path.join(room, 'build.sh'), { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** How a program ended. `exit` is its code, or the name of the signal that ended it. */
export interface Ended {
  readonly exit: number | string;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

export interface RunOptions {
  readonly env?: Record<string, string>;
  readonly input?: string;
  /** Ends the program with SIGKILL after so long; 20 s when left out. */
  readonly limitMs?: number;
}

/** What `openssl genpkey` is to make for each key name. */
const specifications = {
  ec: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
  rsa: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048'],
  rsa4k: ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096'],
  p384: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-384'],
  p521: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-521'],
  secp: ['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:secp256k1'],
} as const;

type Specification = keyof typeof specifications;

/** Names of keys that tests may ask for, with what they are. */
const named: Record<string, { readonly specification: Specification; readonly kind: KeyFile['kind'] }> = {
  ec: { specification: 'ec', kind: 'pair' },
  rsa: { specification: 'rsa', kind: 'pair' },
  rsa4k: { specification: 'rsa4k', kind: 'pair' },
  ca: { specification: 'ec', kind: 'pair' },
  'srv-ec': { specification: 'ec', kind: 'pair' },
  'srv-rsa': { specification: 'rsa', kind: 'pair' },
  gone: { specification: 'ec', kind: 'pair' },
  'device id/1': { specification: 'ec', kind: 'pair' },
  open: { specification: 'ec', kind: 'uncompressed' },
  p384: { specification: 'p384', kind: 'pair' },
  p521: { specification: 'p521', kind: 'pair' },
  secp: { specification: 'secp', kind: 'pair' },
  refused384: { specification: 'p384', kind: 'unsupported' },
  refused521: { specification: 'p521', kind: 'unsupported' },
  refused256k: { specification: 'secp', kind: 'unsupported' },
  sym: { specification: 'ec', kind: 'symmetric' },
};

function makeHandle(name: string): string {
  const content = Buffer.from(JSON.stringify({ key_id: { KeyPair: name }, nonce: randomBytes(64).toString('base64') }));
  return `sr=${content.toString('base64')}&sig=${randomBytes(32).toString('base64')}`;
}

export class World {
  readonly folder = mkdtempSync(path.join(os.tmpdir(), 'engine-'));
  readonly socketPath = path.join(this.folder, 'keyd.sock');
  readonly keys: KeyFile[] = [];
  #keyd: ChildProcess | undefined;

  /** Makes a key of its own for each name of the table above. */
  constructor(names: readonly string[]) {
    for (const [index, name] of names.entries()) {
      const entry = named[name];
      if (entry === undefined) throw new Error(`no such key: ${name}`);
      const file = path.join(this.folder, `key${index}.pem`);
      execFileSync('openssl', ['genpkey', ...specifications[entry.specification], '-out', file], { stdio: 'ignore' });
      this.keys.push({ name, handle: makeHandle(name), path: file, kind: entry.kind });
    }
    writeFileSync(path.join(this.folder, 'data'), 'data to be signed\n');
    writeFileSync(path.join(this.folder, 'dig'), randomBytes(32));
  }

  key(name: string): KeyFile {
    const found = this.keys.find((one) => one.name === name);
    if (found === undefined) throw new Error(`no such key: ${name}`);
    return found;
  }

  handle(name: string): string {
    return this.key(name).handle;
  }

  file(name: string): string {
    return path.join(this.folder, name);
  }

  get env(): Record<string, string> {
    return { OPENSSL_ENGINES: path.dirname(engineFile), AZIOT_KEYD_SOCKET: this.socketPath };
  }

  async startKeyd(): Promise<void> {
    this.#keyd = fork(path.join(import.meta.dirname, 'stand-in-keyd.ts'), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    await this.#order({ kind: 'listen', socketPath: this.socketPath, keys: this.keys });
  }

  /** Ends the stand-in and removes its socket. */
  async stopKeyd(): Promise<void> {
    const child = this.#keyd;
    this.#keyd = undefined;
    if (child === undefined) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill('SIGKILL');
    });
    rmSync(this.socketPath, { force: true });
  }

  /** Holds the stand-in with SIGSTOP, or lets it go on with SIGCONT. */
  signalKeyd(signal: 'SIGSTOP' | 'SIGCONT'): void {
    this.#keyd?.kill(signal);
  }

  /** How the stand-in answers from now on; with no behaviour, rightly. */
  async behave(behaviours: readonly Behaviour[] = [], maxConnections?: number): Promise<void> {
    await this.#order({ kind: 'behave', behaviours, ...(maxConnections === undefined ? {} : { maxConnections }) });
  }

  async deleteKey(name: string): Promise<void> {
    await this.#order({ kind: 'delete', name });
  }

  /** The requests since the last time this was asked. */
  async takeRequests(): Promise<readonly Recorded[]> {
    return (await this.takeJournal()).requests;
  }

  async takeJournal(): Promise<Extract<Report, { kind: 'journal' }>> {
    const report = await this.#order({ kind: 'take' });
    if (report.kind !== 'journal') throw new Error('the stand-in gave no journal');
    return report;
  }

  #order(order: Order): Promise<Report> {
    const child = this.#keyd;
    if (child === undefined) return Promise.reject(new Error('the stand-in is not running'));
    return new Promise((resolve, reject) => {
      child.once('message', (report) => resolve(report as Report));
      child.send(order, (error) => (error === null ? undefined : reject(error)));
    });
  }

  /** Runs a program in the folder, with the engine and the socket in its environment. */
  run(command: readonly string[], options: RunOptions = {}): Promise<Ended> {
    const [program = '', ...args] = command;
    const start = performance.now();
    const child = spawn(program, args, { cwd: this.folder, env: { ...process.env, ...this.env, ...options.env } });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => stdout.push(piece));
    child.stderr.on('data', (piece: Buffer) => stderr.push(piece));
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
    const limit = setTimeout(() => child.kill('SIGKILL'), options.limitMs ?? 20_000);
    return new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        clearTimeout(limit);
        resolve({
          exit: code ?? signal ?? 'unknown',
          stdout: Buffer.concat(stdout).toString(),
          stderr: Buffer.concat(stderr).toString(),
          ms: performance.now() - start,
        });
      });
    });
  }

  /** `openssl dgst -sign` with a key of the engine; the signature goes to the file `sig`. */
  sign(identifier: string, more: readonly string[] = ['-sha256'], options: RunOptions = {}): Promise<Ended> {
    const engine = ['-engine', 'aziot_keys', '-keyform', 'engine', '-sign', identifier];
    return this.run(['openssl', 'dgst', ...more, ...engine, '-out', 'sig', 'data'], options);
  }

  /** `openssl pkey` with a key of the engine. */
  load(identifier: string, more: readonly string[] = ['-noout'], options: RunOptions = {}): Promise<Ended> {
    return this.run(
      ['openssl', 'pkey', '-engine', 'aziot_keys', '-inform', 'engine', '-in', identifier, ...more],
      options,
    );
  }

  async close(): Promise<void> {
    await this.stopKeyd();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
