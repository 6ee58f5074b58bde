/** Certificates of a test CA for the keys of a world, and servers and clients of the openssl command line. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { World } from './world.ts';

/** A world whose keys all have certificates (`<name>.pem`) by the CA in `ca.pem`, made without the engine. */
export async function makeTlsWorld(names: readonly string[]): Promise<World> {
  const world = new World(['ca', ...names]);
  writeFileSync(world.file('ext'), 'subjectAltName=IP:127.0.0.1\n');
  const ca = ['-addext', 'basicConstraints=critical,CA:TRUE', '-out', 'ca.pem'];
  await must(world, ['openssl', 'req', '-x509', '-new', '-key', world.key('ca').path, '-subj', '/CN=TEST ca', ...ca]);
  for (const name of names) {
    const subject = ['-subj', `/CN=TEST ${name}`];
    await must(world, ['openssl', 'req', '-new', '-key', world.key(name).path, ...subject, '-out', 'leaf.csr']);
    const issuer = ['-CA', 'ca.pem', '-CAkey', world.key('ca').path, '-extfile', 'ext'];
    await must(world, ['openssl', 'x509', '-req', '-in', 'leaf.csr', ...issuer, '-days', '5', '-out', `${name}.pem`]);
  }
  await world.startKeyd();
  return world;
}

async function must(world: World, command: readonly string[]): Promise<void> {
  const ended = await world.run(command);
  if (ended.exit !== 0) throw new Error(`${command.slice(0, 3).join(' ')}: ${ended.stderr}`);
}

export function readText(world: World, name: string): string {
  return readFileSync(world.file(name), 'utf8');
}

/** A port of the loopback interface that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

/** A running `openssl s_server -www`. */
export class OpensslServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(port: number, child: ChildProcess) {
    this.port = port;
    this.#child = child;
  }

  /** Starts it with the certificate of `name`; `key` are the arguments that name its private key. */
  static async start(world: World, name: string, key: readonly string[]): Promise<OpensslServer> {
    const port = await freePort();
    const trust = ['-CAfile', 'ca.pem', '-Verify', '2', '-verify_return_error'];
    const args = ['s_server', '-accept', `127.0.0.1:${port}`, '-www', '-cert', `${name}.pem`, ...key, ...trust];
    const child = spawn('openssl', args, {
      cwd: world.folder,
      env: { ...process.env, ...world.env },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('openssl s_server ended')));
      child.stdout?.on('data', (piece: Buffer) => (piece.includes('ACCEPT') ? resolve() : undefined));
    });
    return new OpensslServer(port, child);
  }

  stop(): void {
    this.#child.kill('SIGKILL');
  }
}

/** Arguments of the openssl command line for a private key in keyd. */
export function engineKey(world: World, name: string): string[] {
  return ['-engine', 'aziot_keys', '-keyform', 'engine', '-key', world.handle(name)];
}
