import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Type from 'typebox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger, type RunningDaemon } from '../process/index.ts';
import { Base64, createUnixClient, plain, type ServiceApi, serve, withBody } from './index.ts';

const api: ServiceApi = {
  name: 'keyd',
  versions: ['2020-09-01', '2021-05-01'],
  routes: [
    {
      path: /^\/plain\/([^/]+)$/,
      methods: { GET: plain(async ({ params, uid }) => ({ status: 200, body: { id: params[0], uid } })) },
    },
    { path: /^\/new$/, since: '2021-05-01', methods: { GET: plain(async () => ({ status: 204 })) } },
    {
      path: /^\/body$/,
      methods: {
        POST: withBody(Type.Object({ name: Type.String(), bytes: Type.Optional(Base64) }), async ({ body }) => ({
          status: 200,
          body,
        })),
        PUT: withBody(Type.Object({ name: Type.String() }), async ({ body }) => ({ status: 201, body })),
      },
    },
    { path: /^\/broken$/, methods: { GET: plain(() => Promise.reject(new Error('secret cause'))) } },
    { path: /^\/slow$/, methods: { GET: plain(() => new Promise(() => undefined)) } },
  ],
};

let folder: string;
let socketPath: string;
let daemon: RunningDaemon;
let lines: string[];

async function start(maxRequests = 10): Promise<void> {
  const log = createLogger({
    target: 'keyd',
    filter: undefined,
    write: (line) => lines.push(line),
    now: () => Date.now(),
  });
  daemon = await serve({ api, socketPath, maxRequests, env: {}, log });
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ipc-'));
  socketPath = join(folder, 's.sock');
  lines = [];
  await start();
});

afterEach(async () => {
  await daemon.close();
  rmSync(folder, { recursive: true });
});

/** Sends raw text on one connection and returns all that comes until the end, or until `until` fits. */
function raw(text: string, until?: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    let got = '';
    socket.on('data', (chunk) => {
      got += chunk;
      if (until?.test(got)) socket.destroy();
    });
    socket.on('close', () => resolve(got));
    socket.on('error', reject);
    socket.write(text);
  });
}

const once = (head: string, body = '', headers = '') =>
  raw(
    `${head} HTTP/1.1\r\n${headers}connection: close\r\n${body === '' ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`}\r\n${body}`,
  );

const statusAndMessage = (answer: string): [number, string] => {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  return [Number(head.split(' ')[1]), body === '' ? '' : (JSON.parse(body) as { message: string }).message];
};

const V = 'api-version=2021-05-01';

describe('order of checks', () => {
  it.each([
    ['TR-001', 'GET /plain/x', 400, 'api-version not specified'],
    ['TR-002', 'GET /nosuch', 400, 'api-version not specified'],
    ['TR-003', 'GET /plain/x?api-version=1999-01-01', 400, 'invalid api-version "1999-01-01"'],
    ['TR-004', `GET /nosuch?${V}`, 404, 'not found'],
    ['TR-005', 'GET /new?api-version=2020-09-01', 404, 'not found'],
    ['TR-006', `GET /plain/x?${V}&api-version=bad`, 400, 'invalid api-version "bad"'],
    ['TR-007', `GET /plain/x?API-VERSION=2021-05-01`, 400, 'api-version not specified'],
    ['TR-011', `PATCH /plain/x?${V}`, 400, 'method not allowed'],
    ['TR-011 unknown route', `OPTIONS /nosuch?${V}`, 404, 'not found'],
    ['KS-009', `GET /plain/%FF?${V}`, 404, 'not found'],
  ])('%s: %s', async (_, head, status, message) => {
    expect(statusAndMessage(await once(head))).toEqual([status, message]);
  });

  it('TR-006: the last api-version counts', async () => {
    expect(await once(`GET /plain/x?api-version=bad&${V}`)).toMatch(/^HTTP\/1.1 200/);
  });

  it('TR-008: an encoded api-version is decoded', async () => {
    expect(await once('GET /plain/x?api-version=2021%2D05%2D01')).toMatch(/^HTTP\/1.1 200/);
  });

  it('TR-009, TR-010: POST on a GET-only route reads the body first', async () => {
    expect(statusAndMessage(await once(`POST /plain/x?${V}`, '{}'))).toEqual([400, 'method not allowed']);
    expect(statusAndMessage(await once(`POST /plain/x?${V}`, '{'))[0]).toBe(422);
  });

  it('TR-012: HEAD answers 400 without a body', async () => {
    const answer = await once(`HEAD /plain/x?${V}`);
    expect(answer).toMatch(/^HTTP\/1.1 400/);
    expect(answer.split('\r\n\r\n')[1]).toBe('');
  });
});

describe('bodies', () => {
  it.each([
    ['TR-013', '', '', 400],
    ['TR-014', '{"name":"x"}', 'content-type: text/plain\r\n', 400],
    ['TR-015', '{"name":"x"}', '', 200],
    ['TR-016', '{"name":"x"}', 'content-type: application/json; charset=utf-8\r\n', 200],
    ['KS-016 stricter', '{"name":"x"}', 'content-type: Application/JSON\r\n', 200],
    ['TR-019', '{}', '', 422],
    ['TR-020', '{"name":"x","more":1}', '', 200],
    ['duplicate member', '{"name":"x","name":"y"}', '', 422],
    ['array in place of the object', '["x"]', '', 422],
    ['null', 'null', '', 422],
    ['trailing garbage', '{"name":"x"} x', '', 422],
    ['TR-022 no padding', '{"name":"x","bytes":"QQ"}', '', 422],
    ['TR-022 url-safe', '{"name":"x","bytes":"_-8="}', '', 422],
    ['TR-022 newline', '{"name":"x","bytes":"QUFB\\n"}', '', 422],
    ['unused bits set', '{"name":"x","bytes":"QR=="}', '', 422],
  ])('%s', async (_, body, headers, status) => {
    expect(await once(`POST /body?${V}`, body, headers)).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  });

  it('TR-017, TR-018: PUT insists on JSON', async () => {
    expect(await once(`PUT /body?${V}`, '{"name":"x"}', 'content-type: text/plain\r\n')).toMatch(/^HTTP\/1.1 415/);
    expect(await once(`PUT /body?${V}`)).toMatch(/^HTTP\/1.1 422/);
  });

  it('TR-025: a chunked body is accepted', async () => {
    const text = `POST /body?${V} HTTP/1.1\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\nc\r\n{"name":"x"}\r\n0\r\n\r\n`;
    expect(await raw(text)).toMatch(/^HTTP\/1.1 200/);
  });

  it('TR-021: a withheld body is answered 408 after 5 s', async () => {
    const answer = await raw(`POST /body?${V} HTTP/1.1\r\ncontent-length: 100\r\n\r\n{"name":"x"}`);
    expect(statusAndMessage(answer)[0]).toBe(408);
  });

  it('KS-020 stricter: more than 1 MiB is answered 413', async () => {
    expect(await once(`POST /body?${V}`, `{"name":"${'x'.repeat(1024 * 1024)}"}`)).toMatch(/^HTTP\/1.1 413/);
    expect(await once(`GET /plain/x?${V}`)).toMatch(/^HTTP\/1.1 200/);
  });
});

describe('answers', () => {
  it('TR-043: the handler sees the uid of the peer', async () => {
    const client = createUnixClient({ socketPath, authority: 'keyd.sock' });
    expect(
      await client.request({ method: 'GET', path: '/plain/a%2Fb', query: { 'api-version': '2020-09-01' } }),
    ).toEqual({
      id: 'a/b',
      uid: process.getuid?.(),
    });
    await client.close();
  });

  it('a broken handler costs a 500 without its cause, and the log has the cause', async () => {
    expect(statusAndMessage(await once(`GET /broken?${V}`))).toEqual([500, 'internal error']);
    expect(lines.some((line) => line.includes('caused by: secret cause') && line.startsWith('<3>'))).toBe(true);
  });

  it('TR-024: two requests on one connection, no connection header, small head', async () => {
    const request = `GET /plain/x?${V} HTTP/1.1\r\n\r\n`;
    const answer = await raw(request + request, /\}[\s\S]*\}/);
    expect(answer.match(/HTTP\/1.1 200/g)).toHaveLength(2);
    expect(answer).not.toMatch(/keep-alive/i);
    expect(answer.indexOf('\r\n\r\n')).toBeLessThan(512);
  });

  it('TR-026: garbage is answered 400 and closed, others are served', async () => {
    expect(await raw('garbage\r\n\r\n')).toMatch(/^HTTP\/1.1 400/);
    expect(await once(`GET /plain/x?${V}`)).toMatch(/^HTTP\/1.1 200/);
  });

  it('TR-036: the socket has mode 0660', () => {
    expect(statSync(socketPath).mode & 0o777).toBe(0o660);
  });

  it('logs no authorization header', async () => {
    await once(`GET /plain/x?${V}`, '', 'authorization: Basic c2VjcmV0\r\n');
    expect(lines.join('')).not.toContain('c2VjcmV0');
  });
});

describe('slots', () => {
  it('TR-027, TR-028, TR-030: the connection above the limit waits and is served when another closes', async () => {
    await daemon.close();
    await start(2);
    const held = [0, 1].map(() => connect(socketPath));
    for (const socket of held) socket.write(`GET /slow?${V} HTTP/1.1\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const third = once(`GET /plain/x?${V}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(lines.join('')).toContain(`Max simultaneous connections reached for user ${process.getuid?.()}`);
    held[0]?.destroy();
    expect(await third).toMatch(/^HTTP\/1.1 200/);
    held[1]?.destroy();
  });

  it('idle kept-alive connections give way', async () => {
    await daemon.close();
    await start(1);
    const idle = connect(socketPath);
    idle.write(`GET /plain/x?${V} HTTP/1.1\r\n\r\n`);
    await new Promise((resolve) => idle.once('data', resolve));
    expect(await once(`GET /plain/x?${V}`)).toMatch(/^HTTP\/1.1 200/);
    idle.destroy();
  });

  it('beyond the line of 64: 503 in plain text with Retry-After', async () => {
    await daemon.close();
    await start(1);
    const held = connect(socketPath);
    held.write(`GET /slow?${V} HTTP/1.1\r\n\r\n`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const waiting = Array.from({ length: 64 }, () => connect(socketPath));
    await Promise.all(waiting.map((socket) => new Promise((resolve) => socket.once('connect', resolve))));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const answer = await raw('');
    expect(answer).toMatch(/^HTTP\/1.1 503 [\s\S]*retry-after: 3\r\n[\s\S]*content-type: text\/plain\r\n/);
    for (const socket of [held, ...waiting]) socket.destroy();
  });
});
