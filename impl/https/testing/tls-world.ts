import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import {
  type AddressInfo,
  createServer as createTcpServer,
  type Server,
  type Socket,
  connect as tcpConnect,
} from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer as createTlsServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** PEM files of a throw-away CA and certificates it issued, for tests of TLS clients. */
export interface TestPki {
  readonly folder: string;
  readonly caFile: string;
  readonly ca: string;
  /** Issues a certificate for DNS:localhost (or the given SAN) and returns PEM texts. */
  issue(name: string, san?: string): Promise<{ readonly cert: string; readonly key: string }>;
  remove(): Promise<void>;
}

const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** Makes a CA with the openssl command in a temp folder. */
export async function createTestPki(): Promise<TestPki> {
  const folder = await mkdtemp(join(tmpdir(), 'aziot-tls-'));
  const at = (name: string) => join(folder, name);
  await run('openssl', [
    'req',
    '-x509',
    ...EC,
    '-subj',
    '/CN=TEST CA',
    '-days',
    '2',
    '-keyout',
    at('ca.key'),
    '-out',
    at('ca.pem'),
  ]);
  return {
    folder,
    caFile: at('ca.pem'),
    ca: await readFile(at('ca.pem'), 'utf8'),
    async issue(name, san = 'DNS:localhost') {
      await run('openssl', [
        'req',
        ...EC,
        '-subj',
        `/CN=TEST ${name}`,
        '-keyout',
        at(`${name}.key`),
        '-out',
        at(`${name}.csr`),
      ]);
      await writeFile(at(`${name}.ext`), `subjectAltName=${san}\n`);
      await run('openssl', [
        ...['x509', '-req', '-in', at(`${name}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key'), '-CAcreateserial'],
        ...['-days', '1', '-extfile', at(`${name}.ext`), '-out', at(`${name}.pem`)],
      ]);
      return { cert: await readFile(at(`${name}.pem`), 'utf8'), key: await readFile(at(`${name}.key`), 'utf8') };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A server that tells what it got. */
export interface TestServer {
  readonly port: number;
  /** Raw text of each request, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return (server.address() as AddressInfo).port;
}

function closer(server: Server, sockets: Set<Socket>): () => Promise<void> {
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  });
  return () =>
    new Promise((resolve) => {
      for (const socket of sockets) socket.destroy();
      server.close(() => resolve());
    });
}

/** A TLS server that hands each whole request (by content-length) to `answer`, which writes to the socket as it likes. */
export async function createTestServer(
  options: TlsOptions,
  answer: (request: string, socket: TLSSocket) => void,
): Promise<TestServer> {
  const requests: string[] = [];
  const server = createTlsServer(options, (socket) => {
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0);
      if (end < 0 || text.length < end + 4 + length) return;
      const whole = text;
      text = '';
      requests.push(whole);
      answer(whole, socket);
    });
  });
  server.on('tlsClientError', () => undefined);
  const close = closer(server, new Set());
  return { port: await listen(server), requests, close };
}

/** A proxy that answers CONNECT with `status` and, for 200, joins the two sides. */
export async function createTestProxy(status: 200 | 407): Promise<TestServer> {
  const requests: string[] = [];
  const server = createTcpServer((socket) => {
    socket.once('data', (chunk) => {
      const head = chunk.toString('latin1');
      requests.push(head);
      if (status !== 200) {
        socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
        return;
      }
      const port = Number(/^CONNECT localhost:(\d+) /.exec(head)?.[1]);
      const onward = tcpConnect(port, 'localhost', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        socket.pipe(onward).pipe(socket);
      });
      onward.on('error', () => socket.destroy());
    });
  });
  const close = closer(server, new Set());
  return { port: await listen(server), requests, close };
}
