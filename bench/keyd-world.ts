import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const LAUNCHER = resolve(import.meta.dirname, '../impl/bin/aziotd');
const SOFTHSM_MODULES = ['/usr/lib/softhsm/libsofthsm2.so', '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so'];

const LONGEST_START_MS = 60_000;

/** A keyd process with a folder of its own. */
export interface KeydWorld {
  readonly socketPath: string;
  readonly pid: number;
  /** Folder of everything of this world. */
  readonly root: string;
  /** Milliseconds from the start of the process to its first answer. */
  readonly firstAnswerMs: number;
  call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<Record<string, string>>;
  close(): Promise<void>;
}

/** Path of SoftHSM's module, where it is installed. */
export function softHsmModule(): string | undefined {
  return SOFTHSM_MODULES.find(existsSync);
}

/** A fresh token below `root`: what the daemon needs in its environment and in `[aziot_keys]`. */
export function makeToken(root: string, module: string): { env: Record<string, string>; config: string } {
  mkdirSync(join(root, 'tokens'));
  const conf = join(root, 'softhsm2.conf');
  writeFileSync(conf, `directories.tokendir = ${root}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n`);
  const env = { SOFTHSM2_CONF: conf };
  const args = ['--init-token', '--free', '--label', 'bench', '--so-pin', '1234', '--pin', '1234'];
  execFileSync('softhsm2-util', args, { env: { ...process.env, ...env }, stdio: 'ignore' });
  return { env, config: `pkcs11_lib_path = "${module}"\npkcs11_base_slot = "pkcs11:token=bench?pin-value=1234"\n` };
}

async function until(check: () => Promise<boolean>, limitMs: number): Promise<void> {
  const end = performance.now() + limitMs;
  while (!(await check())) {
    if (performance.now() > end) throw new Error('keyd did not serve in time');
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** Calls of keyd on a socket, a connection each. */
export function callerOf(socketPath: string): KeydWorld['call'] {
  return (method, path, body) =>
    new Promise((done, fail) => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) };
      const sent = request(
        { socketPath, method, path: `${path}?api-version=2021-05-01`, agent: false, headers },
        (answer) => {
          let got = '';
          answer.on('data', (chunk) => {
            got += chunk;
          });
          answer.on('end', () => done(got === '' ? {} : JSON.parse(got)));
        },
      );
      sent.on('error', fail);
      sent.end(text);
    });
}

/** Starts keyd with the file store, or with a fresh SoftHSM token too. `prepare` may fill the home folder, `env` is added. */
export async function startKeyd(
  store: 'file' | 'softhsm',
  options: { readonly prepare?: (home: string) => void; readonly env?: (root: string) => Record<string, string> } = {},
): Promise<KeydWorld> {
  const root = mkdtempSync(join(tmpdir(), 'bench-'));
  const socketPath = join(root, 'keyd.sock');
  mkdirSync(join(root, 'home'), { mode: 0o700 });
  options.prepare?.(join(root, 'home'));
  const module = softHsmModule();
  const token = store === 'softhsm' && module ? makeToken(root, module) : { env: {}, config: '' };
  const config = join(root, 'config.toml');
  writeFileSync(
    config,
    `max_requests = 64\n[endpoints]\naziot_keyd = "unix://${socketPath}"\n[aziot_keys]\nhomedir_path = "${root}/home"\n${token.config}`,
  );
  const env = {
    ...process.env,
    ...token.env,
    ...options.env?.(root),
    AZIOT_KEYD_CONFIG: config,
    AZIOT_KEYD_CONFIG_DIR: join(root, 'none'),
  };
  const started = performance.now();
  const child: ChildProcess = spawn(LAUNCHER, ['keyd'], { env, stdio: ['ignore', 'ignore', 'ignore'] });
  const call = callerOf(socketPath);
  const answers = () =>
    call('GET', '/nosuch').then(
      () => true,
      () => false,
    );
  try {
    await until(async () => existsSync(socketPath) && (await answers()), LONGEST_START_MS);
  } catch (error) {
    child.kill('SIGKILL');
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
  const firstAnswerMs = performance.now() - started;
  return {
    socketPath,
    pid: child.pid ?? 0,
    root,
    firstAnswerMs,
    call,
    async close() {
      const gone = new Promise((done) => child.once('exit', done));
      child.kill('SIGTERM');
      await gone;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Whatever takes calls as keyd does. */
type Callable = Pick<KeydWorld, 'call'>;

/** A signing request with a symmetric key of this keyd. */
export async function hmacBody(world: Callable): Promise<string> {
  const { keyHandle } = await world.call('POST', '/key', { keyId: 'bench-hmac', usage: 'sign' });
  const parameters = { message: Buffer.from('hello').toString('base64') };
  return JSON.stringify({ keyHandle, algorithm: 'HMAC-SHA256', parameters });
}

/** The same with a key pair. */
export async function ecdsaBody(world: Callable): Promise<string> {
  const { keyHandle } = await world.call('POST', '/keypair', { keyId: 'bench-ec', preferredAlgorithms: 'ec-p256' });
  return JSON.stringify({
    keyHandle,
    algorithm: 'ECDSA',
    parameters: { digest: Buffer.alloc(32, 7).toString('base64') },
  });
}
