import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeToken, softHsmModule } from './keyd-world.ts';

/** Which keyd and certd, and with which keys. */
export interface CertdWorldOptions {
  /** EST identities that are configured beside, all valid for a year. */
  readonly identities?: number;
  /** Folder of a release build of the reference, to be run in place of ours; for root. */
  readonly reference?: string;
  /** New keys go to a fresh SoftHSM token. */
  readonly token?: boolean;
}

const LAUNCHER = resolve(import.meta.dirname, '../impl/bin/aziotd');
const P256 = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** keyd and certd in a folder of their own. */
export interface CertdWorld {
  readonly socketPath: string;
  readonly keydSocketPath: string;
  /** keyd, certd. */
  readonly pids: readonly number[];
  /** PEM of the local CA. */
  readonly ca: string;
  /** PEM of a request for the key pairs `self-0` to `self-9`, which are all the same pair. */
  readonly csr: string;
  close(): Promise<void>;
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'ignore' });
}

async function until(check: () => boolean): Promise<void> {
  const end = performance.now() + 15_000;
  while (!check()) {
    if (performance.now() > end) throw new Error('a daemon did not serve in time');
    await new Promise((done) => setTimeout(done, 20));
  }
}

/** How a daemon is started: the reference takes its sockets from `/run/aziot` alone, so it gets one of its own. */
function commandOf(
  name: string,
  run: string,
  reference: string | undefined,
): [string, string[], Record<string, string>] {
  if (reference === undefined) return [LAUNCHER, [name], {}];
  const script = `mkdir -p /run/aziot && mount --bind "$1" /run/aziot && exec bash -c 'exec -a "$0" "$1"' "$2" "$3"`;
  const args = ['--mount', 'sh', '-c', script, 'sh', run, `aziot-${name}`, join(reference, 'aziotd')];
  return ['unshare', args, { LD_LIBRARY_PATH: reference }];
}

function tokenOf(root: string): ReturnType<typeof makeToken> {
  const module = softHsmModule();
  if (!module) throw new Error('SoftHSM is not installed');
  return makeToken(root, module);
}

/** Starts both. */
export async function startCertd({ identities = 0, reference, token }: CertdWorldOptions = {}): Promise<CertdWorld> {
  const root = mkdtempSync(join(tmpdir(), 'bench-'));
  const at = (name: string) => join(root, name);
  for (const name of ['keyd', 'certd', 'run']) mkdirSync(at(name));
  const store = token ? tokenOf(root) : { env: {}, config: '' };
  const ca = ['-x509', '-days', '365', '-subj', '/CN=TEST CA', '-keyout', at('ca.key'), '-out', at('ca.pem')];
  openssl('req', ...ca, ...P256);
  openssl('req', '-new', '-subj', '/CN=TEST leaf', ...P256, '-keyout', at('self.key'), '-out', at('self.csr'));
  const endpoints = reference
    ? ''
    : `[endpoints]\naziot_keyd = "unix://${at('run/keyd.sock')}"\naziot_certd = "unix://${at('run/certd.sock')}"\n`;
  const numbers = Array.from({ length: 10 }, (_, number) => number);
  const managed = Array.from({ length: identities }, (_, number) => number);
  const selves = numbers.map((number) => `self-${number} = "file://${at('self.key')}"\n`).join('');
  writeFileSync(
    at('keyd.toml'),
    `max_requests = 64\n${endpoints}[aziot_keys]\nhomedir_path = "${at('keyd')}"\n${store.config}[preloaded_keys]\nca = "file://${at('ca.key')}"\n${selves}`,
  );
  const issued = numbers.map((n) => `self-${n} = { method = "self_signed" }\nleaf-${n} = { method = "local_ca" }\n`);
  const est = managed.map(
    (n) =>
      `est-${n} = { method = "est", url = "https://localhost:1/", identity_cert = "id-${n}", identity_pk = "ca" }\n`,
  );
  const preloaded = managed.map((n) => `id-${n} = "file://${at('ca.pem')}"\n`);
  writeFileSync(
    at('certd.toml'),
    `homedir_path = "${at('certd')}"\nmax_requests = 64\n${endpoints}[cert_issuance]\n${issued.join('')}${est.join('')}[cert_issuance.local_ca]\ncert = "ca"\npk = "ca"\n[preloaded_certs]\nca = "file://${at('ca.pem')}"\n${preloaded.join('')}`,
  );
  const start = async (name: string): Promise<ChildProcess> => {
    const variable = `AZIOT_${name.toUpperCase()}_CONFIG`;
    const [command, args, added] = commandOf(name, at('run'), reference);
    const own = { AZIOT_LOG: 'warn', [variable]: at(`${name}.toml`), [`${variable}_DIR`]: at('none') };
    const env = { ...process.env, ...own, ...store.env, ...added };
    const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
    await until(() => existsSync(at(`run/${name}.sock`)));
    return child;
  };
  const children = [await start('keyd'), await start('certd')];
  return {
    socketPath: at('run/certd.sock'),
    keydSocketPath: at('run/keyd.sock'),
    pids: children.map(({ pid }) => pid ?? 0),
    ca: readFileSync(at('ca.pem'), 'utf8'),
    csr: readFileSync(at('self.csr'), 'utf8'),
    async close() {
      const gone = children.map((child) => new Promise((done) => child.once('exit', done)));
      for (const child of children) child.kill('SIGTERM');
      await Promise.all(gone);
      rmSync(root, { recursive: true, force: true });
    },
  };
}
