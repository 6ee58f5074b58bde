import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { loadTrust, type SendHttpsOptions, sendHttps, type TrustStore } from './index.ts';
import { createTestPki, createTestServer, type TestPki, type TestServer } from './testing/tls-world.ts';

let pki: TestPki;
let good: { cert: string; key: string };
let trust: TrustStore;
let server: TestServer;
let connections: Set<TLSSocket>;

beforeAll(async () => {
  pki = await createTestPki();
  good = await pki.issue('server');
  trust = await loadTrust({ SSL_CERT_FILE: pki.caFile });
});
afterEach(() => server.close());
afterAll(() => pki.remove());

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}';

async function serve(answer: (socket: TLSSocket, count: number) => void): Promise<void> {
  connections = new Set();
  let count = 0;
  server = await createTestServer(good, (_request, socket) => {
    connections.add(socket);
    answer(socket, ++count);
  });
}

const send = (over: Partial<SendHttpsOptions> = {}) =>
  sendHttps({
    method: 'GET',
    url: `https://localhost:${server.port}/x`,
    headers: [['host', 'localhost']],
    trust,
    connectTimeoutMs: 5000,
    totalTimeoutMs: 8000,
    connection: 'kept',
    ...over,
  });

test('requests one after another share a connection, others do not', async () => {
  await serve((socket) => socket.write(OK));
  for (let time = 0; time < 3; time++) expect((await send()).status).toBe(200);
  expect(connections.size).toBe(1);
  await send({ connection: 'own' });
  expect(connections.size).toBe(2);
});

test('another trust is another connection', async () => {
  await serve((socket) => socket.write(OK));
  await send();
  await send({ trust: { ...trust, anchors: [...trust.anchors, trust.anchors[0]!] } });
  expect(connections.size).toBe(2);
});

test('a kept connection that turns out to be closed is replaced', async () => {
  await serve((socket, count) => {
    if (count === 1) socket.write(OK);
    else if (count === 2) socket.destroy();
    else socket.write(OK);
  });
  await send();
  expect((await send({ method: 'POST' })).status).toBe(200);
  expect(connections.size).toBe(2);
});

test('a new connection that is closed before the answer is an error, not tried again here', async () => {
  await serve((socket) => socket.destroy());
  await expect(send()).rejects.toMatchObject({ kind: 'closed' });
  expect(server.requests).toHaveLength(1);
});

test('an answer that says close ends the connection', async () => {
  await serve((socket) => socket.end(OK.replace('\r\n\r\n', '\r\nconnection: close\r\n\r\n')));
  await send();
  await send();
  expect(connections.size).toBe(2);
});

test('a request that was given up leaves no connection behind', async () => {
  await serve((socket, count) => {
    if (count > 1) socket.write(OK);
  });
  const stop = new AbortController();
  const sending = send({ signal: stop.signal });
  setTimeout(() => stop.abort(), 200);
  await expect(sending).rejects.toMatchObject({ kind: 'aborted' });
  expect((await send()).status).toBe(200);
  expect(connections.size).toBe(2);
});
