import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { startCertd } from '../../impl/certificates/index.ts';
import { createLogger, systemClock } from '../../impl/process/index.ts';
import { createTestPki } from '../../simulators/common/index.ts';
import { createEstSimulator } from '../../simulators/est/index.ts';

/** A server to which any bytes can be sent on a connection. */
export interface FuzzedServer {
  /** Sends the bytes and gives what came until the connection was closed; this side is ended when nothing comes. */
  send(bytes: Buffer): Promise<string>;
  close(): Promise<void>;
}

/** So long nothing comes before this side is ended. */
const PATIENCE_MS = 100;
/** A server has to close, or answer, within this time. */
const LONGEST_MS = 20_000;

function exchange(open: () => Duplex, bytes: Buffer): Promise<string> {
  return new Promise((done, fail) => {
    const socket = open();
    const late = setTimeout(() => {
      socket.destroy();
      fail(new Error('the connection was neither answered nor closed'));
    }, LONGEST_MS);
    let got = '';
    // a connection that waits for more bytes, or for the next request, is ended from here
    const idle = setTimeout(() => socket.end(), PATIENCE_MS);
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
      idle.refresh();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearTimeout(late);
      clearTimeout(idle);
      done(got);
    });
    socket.write(bytes);
  });
}

/** certd with an empty configuration, in this process. */
export async function fuzzedCertd(): Promise<FuzzedServer> {
  const folder = await mkdtemp(join(tmpdir(), 'fuzz-certd-'));
  const path = join(folder, 'certd.sock');
  const endpoints = `[endpoints]\naziot_certd = "unix://${path}"\naziot_keyd = "unix://${folder}/keyd.sock"\n`;
  await writeFile(join(folder, 'config.toml'), `homedir_path = "${folder}/home"\n${endpoints}`);
  await mkdir(join(folder, 'config.d'));
  const running = await startCertd({
    env: {
      AZIOT_CERTD_CONFIG: join(folder, 'config.toml'),
      AZIOT_CERTD_CONFIG_DIR: join(folder, 'config.d'),
      SSL_CERT_FILE: '/dev/null',
    },
    log: createLogger({ target: 'fuzz', filter: 'off', write: () => {}, now: Date.now }),
    clock: systemClock,
  });
  return {
    send: (bytes) => exchange(() => connect({ path }), bytes),
    async close() {
      await running.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The EST simulator over TLS. */
export async function fuzzedEst(): Promise<FuzzedServer> {
  const pki = await createTestPki();
  const est = await createEstSimulator({ pki, auth: { basic: [{ username: 'device', password: 'secret' }] } });
  const port = Number(new URL(est.url).port);
  const options = { host: '127.0.0.1', port, servername: 'localhost', ca: pki.root.certificatePem };
  return {
    send: (bytes) => exchange(() => connectTls(options), bytes),
    close: () => est.close(),
  };
}

const STATUS = /^HTTP\/1\.1 ([1-5]\d\d) /;

/** Nothing, or answers that begin with a status line; 500 is an answer of certd to nobody's fault but its own. */
export async function checkHttp(server: FuzzedServer, bytes: Buffer): Promise<void> {
  const got = await server.send(bytes);
  if (got === '') return;
  const status = STATUS.exec(got)?.[1];
  assert.ok(status !== undefined, `what came is no HTTP: ${JSON.stringify(got.slice(0, 100))}`);
  assert.ok(status < '500' || got.includes('internal error') || status === '501', `answered ${got.slice(0, 200)}`);
}
