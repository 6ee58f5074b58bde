import { writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HttpsError, loadTrust, proxyFrom, type SendHttpsOptions, sendHttps, type TrustStore } from './index.ts';
import {
  createTestPki,
  createTestProxy,
  createTestServer,
  type TestPki,
  type TestServer,
} from './testing/tls-world.ts';

let pki: TestPki;
let good: { cert: string; key: string };
let trust: TrustStore;
const open: TestServer[] = [];

beforeAll(async () => {
  pki = await createTestPki();
  good = await pki.issue('server');
  trust = await loadTrust({ SSL_CERT_FILE: pki.caFile });
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((server) => server.close()));
});
afterAll(() => pki.remove());

type Answer = Parameters<typeof createTestServer>[1];
const say =
  (text: string): Answer =>
  (_request, socket) =>
    socket.write(text);
const OK = say('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}');

async function serve(answer: Answer = OK, credentials = good): Promise<TestServer> {
  const server = await createTestServer(credentials, answer);
  open.push(server);
  return server;
}

function options(server: TestServer, over: Partial<SendHttpsOptions> = {}): SendHttpsOptions {
  return {
    method: 'GET',
    url: `https://localhost:${server.port}/a/b?c=d`,
    headers: [['host', 'localhost']],
    trust,
    connectTimeoutMs: 5000,
    totalTimeoutMs: 8000,
    ...over,
  };
}

const failure = async (sending: Promise<unknown>): Promise<HttpsError> => {
  const error = await sending.then(() => undefined).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(HttpsError);
  return error as HttpsError;
};

describe('request on the wire', () => {
  it('CL-011: sends exactly the given headers, in order, and nothing else', async () => {
    const server = await serve();
    const headers = [
      ['content-type', 'application/json'],
      ['authorization', 'x'],
      ['host', 'hub'],
      ['content-length', '2'],
    ] as const;
    const answer = await sendHttps(options(server, { method: 'PUT', headers, body: '{}' }));
    expect(answer.status).toBe(200);
    expect(answer.body.toString()).toBe('{}');
    expect(server.requests).toEqual([
      'PUT /a/b?c=d HTTP/1.1\r\ncontent-type: application/json\r\nauthorization: x\r\nhost: hub\r\ncontent-length: 2\r\n\r\n{}',
    ]);
  });

  it('sends a request without a body with no framing headers', async () => {
    const server = await serve();
    await sendHttps(
      options(server, {
        method: 'DELETE',
        headers: [
          ['if-match', '*'],
          ['host', 'h'],
        ],
      }),
    );
    expect(server.requests).toEqual(['DELETE /a/b?c=d HTTP/1.1\r\nif-match: *\r\nhost: h\r\n\r\n']);
  });

  it('CL-054: hands a redirect back instead of following it', async () => {
    const server = await serve(say('HTTP/1.1 302 Found\r\nlocation: https://localhost/x\r\ncontent-length: 0\r\n\r\n'));
    expect((await sendHttps(options(server))).status).toBe(302);
    expect(server.requests).toHaveLength(1);
  });

  it('refuses an http address', async () => {
    const server = await serve();
    const error = await failure(sendHttps(options(server, { url: `http://localhost:${server.port}/` })));
    expect(error.kind).toBe('not-connected');
    expect(error.message).toContain('without TLS');
  });
});

describe('trust', () => {
  it('CL-008: an unknown CA is a class of its own and no request is sent', async () => {
    const server = await serve();
    const error = await failure(sendHttps(options(server, { trust: { anchors: [], source: 'none' } })));
    expect(error.kind).toBe('untrusted-server');
    expect(server.requests).toEqual([]);
  });

  it('CL-009: a certificate for another name is rejected', async () => {
    const server = await serve(OK, await pki.issue('other', 'DNS:other.test'));
    expect((await failure(sendHttps(options(server)))).kind).toBe('untrusted-server');
    expect(server.requests).toEqual([]);
  });

  it('CL-010: SSL_CERT_DIR names folders with hashed names, and both settings replace the system bundle', async () => {
    await writeFile(`${pki.folder}/01234567.0`, pki.ca);
    const fromFolder = await loadTrust({ SSL_CERT_DIR: `/nowhere:${pki.folder}` });
    expect(fromFolder.anchors).toEqual([pki.ca]);
    const server = await serve();
    expect((await sendHttps(options(server, { trust: fromFolder }))).status).toBe(200);
    expect((await loadTrust({ SSL_CERT_FILE: pki.caFile })).anchors).toEqual([pki.ca]);
    expect((await loadTrust({ SSL_CERT_FILE: '/nowhere' })).anchors).toEqual([]);
  });

  it('adds the anchors of the caller', async () => {
    expect((await loadTrust({ SSL_CERT_FILE: '/nowhere' }, [pki.ca])).anchors).toEqual([pki.ca]);
  });
});

describe('limits and failures', () => {
  it('classes a refused connection as not connected', async () => {
    const server = await serve();
    await server.close();
    expect((await failure(sendHttps(options(server)))).kind).toBe('not-connected');
  });

  it('classes a close after the handshake as closed', async () => {
    const server = await serve((_request, socket) => socket.destroy());
    expect((await failure(sendHttps(options(server)))).kind).toBe('closed');
  });

  it('classes a body that ends early as closed', async () => {
    const server = await serve((_request, socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'));
    expect((await failure(sendHttps(options(server)))).kind).toBe('closed');
  });

  it('ends a stalled answer at the total deadline', async () => {
    const server = await serve(say('HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc'));
    expect((await failure(sendHttps(options(server, { totalTimeoutMs: 300 })))).kind).toBe('timed-out');
  });

  it('ends a stalled answer when the caller gives up', async () => {
    const server = await serve(() => undefined);
    const error = await failure(sendHttps(options(server, { signal: AbortSignal.timeout(200) })));
    expect(error.kind).toBe('aborted');
  });

  it('stops reading at the body limit', async () => {
    const server = await serve(say(`HTTP/1.1 200 OK\r\ncontent-length: 4000\r\n\r\n${'x'.repeat(4000)}`));
    expect((await failure(sendHttps(options(server, { maxBodyBytes: 1000 })))).kind).toBe('too-large');
  });

  it('names an answer that is not HTTP', async () => {
    const server = await serve(say('SMTP hello\r\n\r\n'));
    expect((await failure(sendHttps(options(server)))).kind).toBe('malformed');
  });
});

describe('proxy', () => {
  it('CL-050: asks for a tunnel with Basic of the decoded user info, and sends the origin form inside', async () => {
    const server = await serve();
    const proxy = await createTestProxy(200);
    open.push(proxy);
    const settings = proxyFrom({ HTTPS_PROXY: `http://u:p%2F@localhost:${proxy.port}` });
    expect(settings?.display).toBe(`http://u:******@localhost:${proxy.port}/`);
    expect((await sendHttps(options(server, { proxy: settings }))).status).toBe(200);
    const target = `localhost:${server.port}`;
    expect(proxy.requests).toEqual([
      `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nproxy-authorization: Basic dTpwLw==\r\n\r\n`,
    ]);
    expect(server.requests[0]).toMatch(/^GET \/a\/b\?c=d HTTP/);
  });

  it('classes a refused tunnel as a proxy fault', async () => {
    const server = await serve();
    const proxy = await createTestProxy(407);
    open.push(proxy);
    const settings = proxyFrom({ HTTPS_PROXY: `http://localhost:${proxy.port}` });
    expect((await failure(sendHttps(options(server, { proxy: settings })))).kind).toBe('proxy');
  });

  it('CL-051: the lower-case variable counts second, and NO_PROXY excepts hosts', async () => {
    expect(proxyFrom({ https_proxy: 'http://a:1' })?.host).toBe('a');
    expect(proxyFrom({ https_proxy: 'http://a:1', HTTPS_PROXY: 'http://b:1' })?.host).toBe('b');
    const server = await serve();
    const settings = proxyFrom({ HTTPS_PROXY: 'http://127.0.0.1:1', NO_PROXY: 'x.test, LOCALHOST' });
    expect((await sendHttps(options(server, { proxy: settings }))).status).toBe(200);
  });

  it('CL-052: empty means no proxy; garbage is refused without showing it', () => {
    expect(proxyFrom({ HTTPS_PROXY: '', https_proxy: '' })).toBeUndefined();
    expect(() => proxyFrom({ HTTPS_PROXY: 'host:secret@3128' })).toThrow(/^invalid proxy uri/);
    expect(() => proxyFrom({ HTTPS_PROXY: 'nonsense' })).toThrow(/invalid proxy uri: set HTTPS_PROXY/);
  });
});
