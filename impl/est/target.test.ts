import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { chooseAuth, chooseUrl, faultOfUrl } from './index.ts';
import { enrol, good, hex, posts, renewWorld, URL_BASE, world } from './testing/client-world.ts';

beforeEach(renewWorld);

describe('where and how', () => {
  test.each([URL_BASE, `${URL_BASE}/`])('EST-001 EST-002 operations are appended to %s', async (url) => {
    await enrol({ url });
    expect(world.sent.map((one) => `${one.method} ${one.url}`).sort()).toEqual([
      `GET ${URL_BASE}/cacerts`,
      `POST ${URL_BASE}/simpleenroll`,
    ]);
  });

  test('EST-003 EST-004 EST-005 own URL, then the one of the id, then the default, else an error', () => {
    const table = { 'device-id': 'https://b/', default: 'https://c/' };
    expect(chooseUrl({ own: 'https://a/', table }, 'device-id')).toBe('https://a/');
    expect(chooseUrl({ table }, 'device-id')).toBe('https://b/');
    expect(chooseUrl({ table }, 'other')).toBe('https://c/');
    expect(() => chooseUrl({ table: {} }, 'constructor')).toThrow('EST URL is not configured for "constructor"');
  });

  test('EST-006 EST-007 the own block counts as a whole when it has a complete pair', () => {
    const global = { identity: { cert: 'c', pk: 'k' } };
    const own = { basic: { username: 'u', password: 'p' } };
    expect(chooseAuth(own, global, 'x')).toBe(own);
    expect(chooseAuth({}, global, 'x')).toBe(global);
    expect(() => chooseAuth({}, {}, 'x')).toThrow('EST auth is not configured for "x"');
  });

  test('EST-046 a query or fragment is a fault, and nothing is sent', async () => {
    expect(faultOfUrl(`${URL_BASE}?a=b`)).toContain('query');
    expect(faultOfUrl(`${URL_BASE}#a`)).toContain('fragment');
    await expect(enrol({ url: `${URL_BASE}?a=b` })).rejects.toThrow('query');
    expect(world.sent).toEqual([]);
  });

  test('EST-008 EST-010 heads as recorded, in order, credentials at the first try', async () => {
    await enrol({ basic: { username: 'estuser', password: 'estpwd' } });
    const [post] = posts();
    expect(post?.headers).toEqual([
      ['authorization', 'Basic ZXN0dXNlcjplc3Rwd2Q='],
      ['content-type', 'application/pkcs10'],
      ['content-transfer-encoding', 'base64'],
      ['host', 'est.example:8443'],
      ['content-length', String(String(post?.body).length)],
    ]);
    expect(world.sent.find((one) => one.method === 'GET')?.headers).toEqual([
      ['authorization', 'Basic ZXN0dXNlcjplc3Rwd2Q='],
      ['host', 'est.example:8443'],
    ]);
  });

  test('EST-009 a password with a colon and letters beyond ASCII is sent as UTF-8', async () => {
    await enrol({ basic: { username: 'ü', password: 'a:ß' } });
    expect(posts()[0]?.headers[0]?.[1]).toBe(`Basic ${Buffer.from('ü:a:ß').toString('base64')}`);
  });

  test('EST-011 the body is the DER of the request in lines of at most 64 characters, each ended by LF', async () => {
    await enrol();
    const body = posts()[0]?.body as string;
    expect(body).toMatch(/^([A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/=]{1,64}\n$/);
    expect(Buffer.from(body, 'base64').equals(world.csr.der)).toBe(true);
  });

  test('EST-045 a plain http URL is served without TLS and without the client credential', async () => {
    const heads: string[][] = [];
    const server = createServer((asked, answer) => {
      heads.push([asked.method ?? '', asked.url ?? '', ...asked.rawHeaders]);
      const what = good(asked.url?.endsWith('cacerts') ? world.ca : world.leaf);
      asked.resume();
      answer.writeHead(200, what.headers as Record<string, string>).end(what.body);
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as AddressInfo;
    const chain = await enrol({ url: `http://127.0.0.1:${port}/est`, basic: { username: 'u', password: 'p' } });
    server.close();
    expect(chain).toEqual([world.leaf, world.ca].map(hex));
    expect(heads.find(([method]) => method === 'GET')).toEqual([
      ...['GET', '/est/cacerts', 'authorization', 'Basic dTpw', 'host', `127.0.0.1:${port}`],
    ]);
    expect(world.sent).toEqual([]);
  });
});
