import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Paths of a PEM chain, leaf first, and its key. */
export interface CertificateFiles {
  readonly cert: string;
  readonly key: string;
}

export interface Password {
  readonly username: string;
  readonly password: string;
}

/**
 * The server under test, and what it takes. Members that are absent make the requirements that need them be skipped. Labels are path
 * segments before the operation; absent: none.
 */
export interface EstTarget {
  /** Base URL: `https://host:port/.well-known/est`. */
  readonly url: string;
  /** File with the anchors of the server's certificate, PEM. */
  readonly rootPem: string;
  /** Taken by HTTP basic at the base URL. */
  readonly basic?: Password;
  readonly digest?: Password & { readonly label?: string };
  /** A client certificate that may enrol at the base URL. */
  readonly client?: CertificateFiles;
  /** One of the same authority that has expired. */
  readonly expired?: CertificateFiles;
  /** A label that takes only requests with tls-unique or tls-exporter as challengePassword, with the password of `basic`. */
  readonly possession?: { readonly label: string };
  /** A label whose csrattrs says something. */
  readonly attributes?: { readonly label: string };
  /** A label that answers the first request of each CSR by 202. */
  readonly pending?: { readonly label: string };
  /** A label that is served as the base URL is. */
  readonly label?: string;
}

const OWN = fileURLToPath(new URL('../../simulators/est/main.ts', import.meta.url));
const PASSWORD: Password = { username: 'conformance', password: 'p:ß' };
/** A second user of our own simulator. */
export const PLAIN_PASSWORD: Password = { username: 'plain', password: 'secret' };
const HOUR_MS = 3_600_000;
const START_LIMIT_MS = 20_000;

let own: { readonly child: ChildProcess; readonly folder: string } | undefined;
let found: Promise<EstTarget> | undefined;

/** The target that `AZIOT_CONFORMANCE_EST` describes (a JSON file; paths in it are relative to it), else the simulator of this project. */
export function estTarget(): Promise<EstTarget> {
  found ??= findTarget();
  return found;
}

/** Ends the simulator where one was started. */
export async function endTarget(): Promise<void> {
  found = undefined;
  const { child, folder } = own ?? {};
  own = undefined;
  if (!child || folder === undefined) return;
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
  rmSync(folder, { recursive: true, force: true });
}

async function findTarget(): Promise<EstTarget> {
  const described = process.env['AZIOT_CONFORMANCE_EST'];
  return described ? readTarget(described) : startOwn();
}

function readTarget(path: string): EstTarget {
  const read = JSON.parse(readFileSync(path, 'utf8')) as EstTarget;
  const at = (file: string) => resolve(dirname(path), file);
  const files = (pair: CertificateFiles | undefined) => pair && { cert: at(pair.cert), key: at(pair.key) };
  const client = files(read.client);
  const expired = files(read.expired);
  return { ...read, rootPem: at(read.rootPem), ...(client ? { client } : {}), ...(expired ? { expired } : {}) };
}

interface Where {
  readonly url: string;
  readonly controlUrl: string;
  readonly rootPem: string;
  readonly caPem: string;
  readonly bootstrapPem: string;
  readonly bootstrapKey: string;
}

function firstLine(child: ChildProcess): Promise<Where> {
  return new Promise((done, fail) => {
    const timer = setTimeout(() => fail(new Error('the EST simulator did not start in time')), START_LIMIT_MS);
    child.stdout?.once('data', (chunk) => {
      clearTimeout(timer);
      done(JSON.parse(String(chunk)) as Where);
    });
    child.once('exit', (code) => fail(new Error(`the EST simulator ended with ${code}`)));
  });
}

async function control(base: string, method: string, path: string, body: unknown): Promise<Record<string, string>> {
  const answer = await fetch(`${base}${path}`, { method, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${await answer.text()}`);
  return (await answer.json()) as Record<string, string>;
}

/** Starts the simulator as a process, with a label for each thing that can be asked of a server. */
async function startOwn(): Promise<EstTarget> {
  const folder = mkdtempSync(join(tmpdir(), 'conformance-est-'));
  const config = join(folder, 'config.json');
  writeFileSync(
    config,
    JSON.stringify({
      labels: {
        other: {},
        digest: { auth: { digest: [PASSWORD] } },
        possession: { possession: 'required' },
        attributes: { csrAttributes: ['serialNumber', { type: 'ecPublicKey', values: ['P-256'] }] },
        pending: {},
      },
      quirks: { label: 'pending', pending: { times: 1, retryAfterSeconds: 1 } },
    }),
  );
  const ports = ['--port', '0', '--control-port', '0', '--json', '--data-dir', join(folder, 'data')];
  const users = [PASSWORD, PLAIN_PASSWORD].flatMap(({ username, password }) => ['--user', `${username}:${password}`]);
  const cas = ['--client-ca', join(folder, 'bootstrap-ca.pem'), '--client-ca', join(folder, 'est-ca.pem')];
  await seedAuthorities(folder, [...ports, '--require', 'none']);
  const child = spawn(process.execPath, [OWN, ...ports, '--config', config, ...users, ...cas], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  own = { child, folder };
  // a run that ends takes it along, and need not be told to
  process.once('exit', () => {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  const where = await firstLine(child);
  child.unref();
  (child.stdout as Socket | null)?.unref();
  const made = await control(where.controlUrl, 'POST', '/issue', {
    ca: 'bootstrap',
    commonName: 'TEST expired',
    lifetimeSeconds: 60,
    notBeforeOffsetSeconds: -HOUR_MS / 1000,
  });
  const cert = join(folder, 'expired.pem');
  const key = join(folder, 'expired.key');
  writeFileSync(cert, made['certificatePem'] ?? '');
  writeFileSync(key, made['keyPem'] ?? '', { mode: 0o600 });
  return {
    url: where.url,
    rootPem: where.rootPem,
    basic: PASSWORD,
    digest: { ...PASSWORD, label: 'digest' },
    client: { cert: where.bootstrapPem, key: where.bootstrapKey },
    expired: { cert, key },
    possession: { label: 'possession' },
    attributes: { label: 'attributes' },
    pending: { label: 'pending' },
    label: 'other',
  };
}

/** A first start makes the authorities, so that the second can be told to take their clients. */
async function seedAuthorities(folder: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [OWN, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const where = await firstLine(child);
  const chain = (file: string) =>
    readFileSync(file, 'utf8').match(/-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n/g) ?? [];
  writeFileSync(join(folder, 'bootstrap-ca.pem'), chain(where.bootstrapPem)[1] ?? '');
  writeFileSync(join(folder, 'est-ca.pem'), chain(where.caPem)[0] ?? '');
  const ended = new Promise((done) => child.once('exit', done));
  child.kill('SIGTERM');
  await ended;
}
