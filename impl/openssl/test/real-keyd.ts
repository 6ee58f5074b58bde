/** The keyd of this project as a process, on files or on SoftHSM, in the folder of a world. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import path from 'node:path';
import { room, type World } from './world.ts';

export type Store = 'files' | 'softhsm';

const softhsmLibrary = '/usr/lib/softhsm/libsofthsm2.so';
const daemon = path.join(room, '../bin/aziotd');

/** Why a run on the store is not possible here, or undefined when it is. */
export function whyNot(store: Store): string | undefined {
  if (store === 'files' || existsSync(softhsmLibrary)) return undefined;
  return `${softhsmLibrary} is not there: apt-get install softhsm2`;
}

export class RealKeyd {
  readonly #world: World;
  readonly #env: Record<string, string>;
  #child: ChildProcess | undefined;
  #log = '';

  constructor(world: World, store: Store) {
    this.#world = world;
    const home = world.file('home');
    const tokens = world.file('tokens');
    mkdirSync(home, { recursive: true });
    mkdirSync(tokens, { recursive: true });
    writeFileSync(world.file('softhsm2.conf'), `directories.tokendir = ${tokens}\nobjectstore.backend = file\n`);
    this.#env = {
      AZIOT_KEYD_CONFIG: world.file('keyd.toml'),
      AZIOT_KEYD_CONFIG_DIR: world.file('keyd.d'),
      SOFTHSM2_CONF: world.file('softhsm2.conf'),
    };
    const lines = ['[aziot_keys]', `homedir_path = ${JSON.stringify(home)}`];
    if (store === 'softhsm') {
      const init = ['--init-token', '--free', '--label', 'engine', '--pin', '1234', '--so-pin', '1234'];
      execFileSync('softhsm2-util', init, { env: { ...process.env, ...this.#env }, stdio: 'ignore' });
      lines.push(`pkcs11_lib_path = "${softhsmLibrary}"`, 'pkcs11_base_slot = "pkcs11:token=engine?pin-value=1234"');
    }
    lines.push('[endpoints]', `aziot_keyd = ${JSON.stringify(`unix://${world.socketPath}`)}`);
    lines.push('[[principal]]', `uid = ${process.getuid?.() ?? 0}`, 'keys = ["*"]', '');
    writeFileSync(world.file('keyd.toml'), lines.join('\n'));
  }

  async start(): Promise<void> {
    const child = spawn(daemon, ['keyd'], { env: { ...process.env, ...this.#env }, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (piece: Buffer) => (this.#log += piece.toString()));
    for (let tries = 0; tries < 100; tries++) {
      if (child.exitCode !== null) break;
      if ((await this.#ask('GET', '/keypair/nobody').catch(() => undefined)) !== undefined) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`keyd did not start: ${this.#log}`);
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  /** Makes a key pair (`ec-p256`, `rsa-2048`, `rsa-4096`) and returns its handle. */
  async makePair(keyId: string, algorithm: string): Promise<string> {
    const answer = await this.#ask('POST', '/keypair', { keyId, preferredAlgorithms: algorithm });
    if (typeof answer['keyHandle'] !== 'string') throw new Error(`no key pair ${keyId}: ${JSON.stringify(answer)}`);
    return answer['keyHandle'];
  }

  /** How many key files there are. */
  countFiles(): number {
    const folder = path.join(this.#world.file('home'), 'keys');
    return existsSync(folder) ? readdirSync(folder).length : 0;
  }

  #ask(method: string, target: string, body?: unknown): Promise<Record<string, unknown>> {
    const text = body === undefined ? '' : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
        {
          socketPath: this.#world.socketPath,
          method,
          path: `${target}?api-version=2021-05-01`,
          agent: false,
          headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
        },
        (response) => {
          let received = '';
          response.on('data', (piece: Buffer) => (received += piece.toString()));
          response.on('end', () => resolve(JSON.parse(received)));
        },
      );
      sent.on('error', reject);
      sent.end(text);
    });
  }
}
