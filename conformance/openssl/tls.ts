import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { STORES } from '../keys/index.ts';
import type { Context } from '../runner/index.ts';
import { type Ended, EngineWorld, engineKey, sharedEngineWorld } from './engine-world.ts';

/** Key pairs with certificates of the CA in `ca.pem`: name and algorithm. */
const WITH_CERTIFICATE: Readonly<Record<string, string>> = {
  ec: 'ec-p256',
  rsa: 'rsa-2048',
  'srv-ec': 'ec-p256',
  'srv-rsa': 'rsa-2048',
};

/** Keys in keyd and their certificates, for the requirements on TLS. The CA's key is a file, so that the engine is needed for leaves only. */
export function tlsWorld(context: Context): Promise<EngineWorld> {
  return sharedEngineWorld(context, 'engine in TLS', async (world) => {
    const engine = await EngineWorld.in(context, world, STORES.file);
    await engine.must(['openssl', 'ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', 'ca.key']);
    await issueCa(engine, ['-key', 'ca.key']);
    for (const [name, algorithm] of Object.entries(WITH_CERTIFICATE)) {
      await engine.makePair(name, algorithm);
      await issueLeaf(engine, name, ['-CAkey', 'ca.key']);
    }
    return engine;
  });
}

/** Makes the certificate of a CA in `ca.pem`; `key` are the arguments that name its private key. */
export async function issueCa(engine: EngineWorld, key: readonly string[]): Promise<void> {
  const more = ['-subj', '/CN=TEST ca', '-days', '30', '-addext', 'basicConstraints=critical,CA:TRUE'];
  await engine.must(['openssl', 'req', '-x509', '-new', '-sha256', ...key, ...more, '-out', 'ca.pem']);
}

/** Makes a request with a key of the engine and a certificate from it, in `<name>.pem`, for both sides of TLS. */
export async function issueLeaf(engine: EngineWorld, name: string, caKey: readonly string[]): Promise<void> {
  await writeFile(engine.path('leaf.ext'), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
  const subject = ['-subj', `/CN=TEST ${name}`, '-out', 'leaf.csr'];
  await engine.must(['openssl', 'req', '-new', ...engineKey('-key', engine.handle(name)), ...subject]);
  const ca = ['-CA', 'ca.pem', ...caKey, '-extfile', 'leaf.ext', '-days', '10', '-sha256'];
  await engine.must(['openssl', 'x509', '-req', '-in', 'leaf.csr', ...ca, '-out', `${name}.pem`]);
}

/** An `openssl s_server` that asks for a client certificate and answers each request with a page about the connection. */
export class TlsServer {
  readonly port: number;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.port = port;
  }

  /** Starts it with the certificate and key of that name. */
  static async start(engine: EngineWorld, name: string): Promise<TlsServer> {
    const own = ['-cert', `${name}.pem`, ...engineKey('-key', engine.handle(name))];
    const trust = ['-CAfile', 'ca.pem', '-Verify', '1', '-verify_return_error'];
    const child = spawn('openssl', ['s_server', '-accept', '127.0.0.1:0', '-www', ...own, ...trust], {
      cwd: engine.world.root,
      env: { ...process.env, ...engine.env() },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const port = /^ACCEPT 127\.0\.0\.1:(\d+)/.exec(line)?.[1];
      if (port === undefined) continue;
      child.stdout.resume();
      return new TlsServer(child, Number(port));
    }
    return assert.fail('openssl s_server ended before it accepted connections');
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}

/** Runs `use` with a server of that name. */
export async function withServer(
  engine: EngineWorld,
  name: string,
  use: (server: TlsServer) => Promise<void>,
): Promise<void> {
  const server = await TlsServer.start(engine, name);
  try {
    await use(server);
  } finally {
    await server.stop();
  }
}

interface Client {
  readonly version?: '-tls1_2' | '-tls1_3';
  /** Whose key is shown in place of that of the certificate. */
  readonly keyOf?: string;
  readonly env?: Record<string, string>;
}

/** Asks the server for its page by `openssl s_client`, with the certificate and key of that name. */
export function connectTo(
  engine: EngineWorld,
  { port }: TlsServer,
  name: string,
  { version, keyOf = name, env = {} }: Client = {},
): Promise<Ended> {
  const trust = ['-CAfile', 'ca.pem', '-verify_return_error', '-ign_eof'];
  const own = ['-cert', `${name}.pem`, ...engineKey('-key', engine.handle(keyOf))];
  const target = ['openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...(version ? [version] : [])];
  return engine.run([...target, ...trust, ...own], { input: 'GET / HTTP/1.0\r\n\r\n', env });
}

/** Asserts that the server answered, over that version, to a client whose certificate it saw. */
export function expectPage(ended: Ended, version?: '-tls1_2' | '-tls1_3'): void {
  assert.equal(ended.exit, 0, ended.stderr);
  assert.match(ended.stdout, /HTTP\/1\.0 200/);
  assert.match(ended.stdout, /Client certificate/, 'the server saw no certificate of the client');
  if (version) assert.ok(ended.stdout.includes(version === '-tls1_2' ? 'New, TLSv1.2' : 'New, TLSv1.3'));
}
