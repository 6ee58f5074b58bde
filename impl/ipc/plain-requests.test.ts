import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type PlainHead, PlainHeads, readPlainHead } from './plain-head.ts';
import { servePlainRequests } from './plain-requests.ts';

const folder = mkdtempSync(join(tmpdir(), 'plain-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('heads that are plain', () => {
  it('what a caller of the daemons sends', () => {
    const text =
      'POST /sign?api-version=2021-05-01 HTTP/1.1\r\nHost: keyd.sock\r\nContent-Type:application/json\r\ncontent-length: 12';
    expect(readPlainHead(text)).toEqual({
      method: 'POST',
      target: '/sign?api-version=2021-05-01',
      contentType: 'application/json',
      contentLength: 12,
      close: false,
      headerText: '{"host":"keyd.sock","content-type":"application/json","content-length":"12"}',
    });
    expect(readPlainHead('GET / HTTP/1.1\r\nconnection: Close')?.close).toBe(true);
  });

  it.each([
    ['another method', 'HEAD / HTTP/1.1'],
    ['lower case', 'get / HTTP/1.1'],
    ['HTTP/1.0', 'GET / HTTP/1.0'],
    ['absolute form', 'GET http://keyd.sock/ HTTP/1.1'],
    ['two blanks', 'GET  / HTTP/1.1'],
    ['not ASCII', 'GET /\xe9 HTTP/1.1'],
    ['chunked', 'POST / HTTP/1.1\r\ntransfer-encoding: chunked'],
    ['both lengths', 'POST / HTTP/1.1\r\ncontent-length: 1\r\nTransfer-Encoding: chunked'],
    ['two lengths', 'POST / HTTP/1.1\r\ncontent-length: 1\r\nContent-Length: 1'],
    ['a sign before the length', 'POST / HTTP/1.1\r\ncontent-length: +1'],
    ['hexadecimal length', 'POST / HTTP/1.1\r\ncontent-length: 0x1'],
    ['leading zero', 'POST / HTTP/1.1\r\ncontent-length: 01'],
    ['list of lengths', 'POST / HTTP/1.1\r\ncontent-length: 1, 1'],
    ['empty length', 'POST / HTTP/1.1\r\ncontent-length:'],
    ['GET with a body', 'GET / HTTP/1.1\r\ncontent-length: 1'],
    ['blank before the colon', 'GET / HTTP/1.1\r\nhost : x'],
    ['folded line', 'GET / HTTP/1.1\r\nhost: x\r\n y'],
    ['bare line feed', 'GET / HTTP/1.1\nhost: x'],
    ['bare carriage return', 'GET / HTTP/1.1\r\nhost: x\ry'],
    ['NUL', 'GET / HTTP/1.1\r\nhost: \0'],
    ['no name', 'GET / HTTP/1.1\r\n: x'],
    ['no colon', 'GET / HTTP/1.1\r\nhost'],
    ['upgrade', 'GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: x'],
    ['several connection options', 'GET / HTTP/1.1\r\nconnection: keep-alive, te'],
    ['expectation', 'POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 1'],
    ['a secret', 'GET / HTTP/1.1\r\nauthorization: Basic eA=='],
    ['many headers', `GET / HTTP/1.1${Array.from({ length: 33 }, (_, n) => `\r\nx${n}: y`).join('')}`],
    ['a long head', `GET /${'x'.repeat(2048)} HTTP/1.1`],
  ])('not: %s', (_, text) => {
    expect(readPlainHead(text)).toBeUndefined();
  });
});

describe('node:http as the judge', () => {
  const path = join(folder, 'judge.sock');
  type Seen = { method: string | undefined; url: string | undefined; headers: unknown; body: string };
  let seen: Seen | undefined;
  const judge = createHttpServer({ requireHostHeader: false }, (request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      seen = { method: request.method, url: request.url, headers: { ...request.headers }, body };
      response.end();
    });
  });
  beforeAll(async () => {
    judge.listen(path);
    await once(judge, 'listening');
  });
  afterAll(() => judge.close());

  async function judged(text: string): Promise<Seen | undefined> {
    seen = undefined;
    const socket = connect(path);
    socket.on('error', () => undefined);
    socket.write(text, 'latin1');
    await once(socket, 'data');
    socket.destroy();
    return seen;
  }

  const piece = fc.constantFrom(
    ...[
      'GET',
      'POST',
      'PUT',
      'DELETE',
      'HEAD',
      ' ',
      '\t',
      '/',
      '/key?api-version=x',
      '#',
      '%00',
      '\\',
      'é',
      '\x00',
      '\x7f',
    ],
    ...[
      'HTTP/1.1',
      'HTTP/1.0',
      '\r\n',
      '\n',
      '\r',
      ':',
      ': ',
      'host',
      'Content-Length',
      'content-length: 2',
      '2',
      '+2',
      '0x2',
    ],
    ...[
      'transfer-encoding: chunked',
      'connection: close',
      'connection: keep-alive',
      'x-a: b',
      '"',
      '(',
      ')',
      ',',
      ';',
      '{}',
    ],
  );
  const spoilt = fc
    .tuple(
      fc.constantFrom<string[]>(
        'GET / HTTP/1.1',
        'POST /key?a=b HTTP/1.1\r\ncontent-length: 2',
        'PUT /x HTTP/1.1\r\nhost: y\r\ncontent-length: 2',
      ),
      fc.array(fc.tuple(fc.nat(80), piece, fc.boolean()), { maxLength: 4 }),
    )
    .map(([base, edits]) =>
      edits.reduce<string>(
        (text, [at, insert, over]) => text.slice(0, at) + insert + text.slice(at + (over ? insert.length : 0)),
        base,
      ),
    );

  it('no head is plain that node:http reads differently, or refuses', async () => {
    let plain = 0;
    await fc.assert(
      fc.asyncProperty(spoilt, async (text) => {
        const head: PlainHead | undefined = readPlainHead(text);
        if (!head) return;
        plain++;
        const body = 'x'.repeat(head.contentLength % 100);
        fc.pre(body.length === head.contentLength);
        expect(await judged(`${text}\r\n\r\n${body}`)).toEqual({
          method: head.method,
          url: head.target,
          headers: JSON.parse(head.headerText),
          body,
        });
      }),
      { numRuns: 4000 },
    );
    expect(plain).toBeGreaterThan(200);
  });
});

describe('a connection', () => {
  const server: Server = createServer({ pauseOnConnect: true });
  const path = join(folder, 'own.sock');
  const http = createHttpServer((request, response) => {
    request.resume();
    response.end(`node ${request.url}`);
  });
  let release: (() => void)[] = [];
  let client: Socket;
  let got: string;

  beforeAll(async () => {
    server.on('connection', (socket: Socket) => {
      socket.on('error', () => undefined);
      servePlainRequests(socket, {
        heads: new PlainHeads(),
        patienceMs: { first: 40, idle: 80 },
        async run(arrival) {
          if (arrival.target === '/wait') await new Promise<void>((resolve) => release.push(resolve));
          const body = { plain: arrival.target, size: 'x'.repeat(arrival.target === '/large' ? 1e6 : 0) };
          arrival.send({ status: 200, body }, { close: false });
        },
        handOver() {
          http.emit('connection', socket);
          socket.resume();
        },
      });
      socket.resume();
    });
    server.listen(path);
    await once(server, 'listening');
  });
  afterAll(() => {
    server.close();
    http.closeAllConnections();
  });
  afterEach(() => client.destroy());

  function open(): void {
    release = [];
    got = '';
    client = connect(path);
    client.on('data', (chunk) => {
      got += chunk;
    });
  }

  async function until(pattern: RegExp): Promise<void> {
    while (!pattern.test(got)) await once(client, 'data');
  }

  it('serves one request after the other', async () => {
    open();
    for (const target of ['/a', '/b']) {
      client.write(`GET ${target} HTTP/1.1\r\n\r\n`);
      await until(new RegExp(`"plain":"${target}"`));
    }
    expect(got).not.toMatch(/connection/i);
  });

  it('gives requests in pieces and pipelined ones to node:http, in order, with every byte', async () => {
    open();
    client.write('GET /a HTTP/1.1\r\n\r\n');
    await until(/"plain":"\/a"/);
    client.write('GET /b HTTP/1.1\r\nhost: x\r\n');
    client.write('\r\nGET /c HTTP/1.1\r\nhost: x\r\n\r\n');
    await until(/node \/b[\s\S]*node \/c/);
  });

  it('keeps what comes during an exchange and answers it afterwards', async () => {
    open();
    client.write('GET /wait HTTP/1.1\r\n\r\n');
    while (release.length === 0) await new Promise((resolve) => setImmediate(resolve));
    client.write('GET /b HTTP/1.1\r\nhost: x\r\n\r\n');
    client.write('GET /c HTTP/1.1\r\nhost: x\r\n\r\n');
    await new Promise((resolve) => setImmediate(resolve));
    expect(got).toBe('');
    release[0]?.();
    await until(/"plain":"\/wait"[\s\S]*node \/b[\s\S]*node \/c/);
  });

  it('does not take more requests of a caller who reads no answers, and ends its connection', async () => {
    open();
    const [served] = (await once(server, 'connection')) as [Socket];
    client.pause();
    client.write('GET /large HTTP/1.1\r\n\r\n');
    await once(served, 'close');
    client.resume();
    await once(client, 'close');
    expect(got).toMatch(/^HTTP\/1.1 200/);
    expect(got.length).toBeLessThan(1e6);
  });

  it('ends a connection that stays silent, before the first request and after an answer', async () => {
    open();
    await once(client, 'close');
    open();
    client.write('GET /a HTTP/1.1\r\n\r\n');
    await once(client, 'close');
    expect(got).toMatch(/"plain":"\/a"/);
  });

  it('does not end a connection whose request takes long', async () => {
    open();
    client.write('GET /wait HTTP/1.1\r\n\r\n');
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(client.destroyed).toBe(false);
    release[0]?.();
    await until(/"plain":"\/wait"/);
  });
});
