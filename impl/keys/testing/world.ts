import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLogger, type RunningDaemon, systemClock } from '../../process/index.ts';
import { startKeyd } from '../index.ts';

/** Where Debian and Fedora install SoftHSM. */
const SOFTHSM_PATHS = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib64/softhsm/libsofthsm2.so'];
export const SOFTHSM = SOFTHSM_PATHS.find((path) => existsSync(path));
export const PIN = '48151623';
/** A uid without any account, with `keys = ["test*"]` in {@link KeydWorld.start}. */
export const USER = 4001;

/** An answer with its parsed body; undefined where there was none. */
export interface Answer {
  readonly status: number;
  readonly body: Record<string, string>;
}

/** A keyd of its own in a temp folder. */
export class KeydWorld {
  readonly folder = mkdtempSync(join(tmpdir(), 'keyd-'));
  readonly home = join(this.folder, 'home');
  readonly keysFolder = join(this.home, 'keys');
  readonly socketPath = join(this.folder, 'keyd.sock');
  readonly configFile = join(this.folder, 'config.toml');
  readonly lines: string[] = [];
  #daemon: RunningDaemon | undefined;

  constructor() {
    chmodSync(this.folder, 0o755);
    mkdirSync(this.home, { mode: 0o700 });
  }

  get env(): Record<string, string | undefined> {
    return {
      ...process.env,
      SOFTHSM2_CONF: join(this.folder, 'softhsm2.conf'),
      AZIOT_KEYD_CONFIG: this.configFile,
      AZIOT_KEYD_CONFIG_DIR: join(this.folder, 'config.d'),
    };
  }

  /** Configuration with a home folder and the test user; `more` are further TOML lines, `parameters` of `[aziot_keys]`. */
  writeConfig({ parameters = '', more = '' }: { parameters?: string; more?: string } = {}): void {
    writeFileSync(
      this.configFile,
      `[aziot_keys]\nhomedir_path = "${this.home}"\n${parameters}\n[endpoints]\naziot_keyd = "unix://${this.socketPath}"\n` +
        `[[principal]]\nuid = ${USER}\nkeys = ["test*"]\n${more}\n`,
    );
  }

  async start(): Promise<void> {
    const log = createLogger({
      target: 'aziot_keyd',
      filter: undefined,
      write: (line) => this.lines.push(line),
      now: () => Date.now(),
    });
    this.#daemon = await startKeyd({ env: this.env, log, clock: systemClock });
    chmodSync(this.socketPath, 0o666);
  }

  async stop(): Promise<void> {
    await this.#daemon?.close();
    this.#daemon = undefined;
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Makes a SoftHSM token; answers the lines for `[aziot_keys]`. */
  makeToken(label = 'tok', pin = PIN): string {
    const tokens = join(this.folder, 'tokens');
    mkdirSync(tokens, { recursive: true });
    writeFileSync(
      join(this.folder, 'softhsm2.conf'),
      `directories.tokendir = ${tokens}\nobjectstore.backend = file\nlog.level = ERROR\n`,
    );
    this.softhsm('--init-token', '--free', '--label', label, '--pin', PIN, '--so-pin', PIN);
    return `pkcs11_lib_path = "${SOFTHSM}"\npkcs11_base_slot = "pkcs11:token=${label}?pin-value=${pin}"`;
  }

  softhsm(...args: string[]): string {
    return execFileSync('softhsm2-util', args, { env: this.env, encoding: 'utf8', stdio: 'pipe' });
  }

  /** Runs pkcs11-tool on the token, logged in. */
  tool(...args: string[]): string {
    const all = ['--module', SOFTHSM ?? '', '--login', '--pin', PIN, ...args];
    return execFileSync('pkcs11-tool', all, { env: this.env, encoding: 'utf8', stdio: 'pipe' });
  }

  /** The token's objects with this label, each as pkcs11-tool describes it. */
  tokenObjects(label: string): string[] {
    const objects = this.tool('--list-objects').split(/^(?=\S)/m);
    return objects.filter((text) => text.includes(`label:      ${label}\n`));
  }

  keyFiles(): string[] {
    return existsSync(this.keysFolder) ? readdirSync(this.keysFolder).sort() : [];
  }

  /** One request on a connection of its own, as root or as another uid (needs root). */
  call(
    method: string,
    path: string,
    body?: unknown,
    options: { readonly uid?: number; readonly version?: string } = {},
  ): Promise<Answer> {
    const { uid = 0, version = '2021-05-01' } = options;
    return new Promise((resolve, reject) => {
      const open = () => {
        if (uid === 0) return connect(this.socketPath);
        process.seteuid?.(uid);
        try {
          return connect(this.socketPath);
        } finally {
          process.seteuid?.(0);
        }
      };
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      const headers = {
        host: 'keyd.sock',
        ...(text === undefined
          ? {}
          : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
      };
      const target = `${path}${path.includes('?') ? '&' : '?'}api-version=${version}`;
      const outgoing = request({ createConnection: open, method, path: target, headers }, (response) => {
        let got = '';
        response.on('data', (chunk) => {
          got += chunk;
        });
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, body: got === '' ? {} : (JSON.parse(got) as Answer['body']) }),
        );
      });
      outgoing.on('error', reject);
      outgoing.end(text);
    });
  }

  post(
    path: string,
    body: unknown,
    options: { readonly uid?: number; readonly version?: string } = {},
  ): Promise<Answer> {
    return this.call('POST', path, body, options);
  }

  /** Creates or loads a symmetric key; answers its handle. */
  async key(keyId: string, usage = 'sign', keyBytes?: string): Promise<string> {
    return (await this.post('/key', { keyId, usage, keyBytes })).body['keyHandle'] ?? '';
  }

  async pair(keyId: string, preferredAlgorithms?: string): Promise<string> {
    return (await this.post('/keypair', { keyId, preferredAlgorithms })).body['keyHandle'] ?? '';
  }

  hmac(keyHandle: string, message: string, options: { readonly uid?: number } = {}): Promise<Answer> {
    return this.post('/sign', { keyHandle, algorithm: 'HMAC-SHA256', parameters: { message } }, options);
  }

  ecdsa(keyHandle: string, digest: Buffer): Promise<Answer> {
    const parameters = { digest: digest.toString('base64') };
    return this.post('/sign', { keyHandle, algorithm: 'ECDSA', parameters });
  }
}
