import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeEach, describe, expect, test } from 'vitest';
import { HttpsError, type HttpsResponse, type SendHttpsOptions } from '../https/index.ts';
import { type Clock, createLogger } from '../process/index.ts';
import {
  basicConstraints,
  type Certificate,
  type CertificateRequest,
  createCsr,
  issueCertificate,
  parseCsr,
  readCertificate,
  softwareSigner,
  type X509Signer,
} from '../x509/index.ts';
import { chooseAuth, chooseUrl, createEstClient, type Enrolment, faultOfUrl } from './index.ts';
import { certsOnly } from './testing/certs-only.ts';

const NOW = Date.UTC(2026, 5, 1);
const URL_BASE = 'https://est.example:8443/.well-known/est';

function key(): X509Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  return softwareSigner(privateKey, publicKey);
}

async function request(signer: X509Signer, ca = false): Promise<CertificateRequest> {
  return parseCsr(await createCsr({ subject: [['CN', 'x']], extensions: ca ? [basicConstraints({})] : [], signer }));
}

async function certificate(csr: CertificateRequest, signer: X509Signer, issuerChain: Certificate[] = [], days = 30) {
  const issued = await issueCertificate({
    csr,
    issuerChain,
    signer,
    now: NOW,
    lifetimeSeconds: days * 86_400,
    serial: randomBytes(16),
  });
  return readCertificate(issued.der);
}

interface World {
  csr: CertificateRequest;
  ca: Certificate;
  leaf: Certificate;
  caKey: X509Signer;
  sent: SendHttpsOptions[];
  answers: { simpleenroll: (() => Partial<HttpsResponse>)[]; cacerts: (() => Partial<HttpsResponse>)[] };
  slept: number[];
  log: string[];
}

let world: World;

const good = (...certificates: Certificate[]): Partial<HttpsResponse> => ({
  status: 200,
  headers: { 'content-type': 'application/pkcs7-mime; smime-type=certs-only' },
  body: Buffer.from(certsOnly(certificates.map((one) => one.der)).toString('base64')),
});

beforeEach(async () => {
  const [caKey, own] = [key(), key()];
  const csr = await request(own);
  const ca = await certificate(await request(caKey, true), caKey, [], 400);
  const leaf = await certificate(csr, caKey, [ca]);
  const answers = { simpleenroll: [() => good(leaf)], cacerts: [() => good(ca)] };
  world = { csr, ca, leaf, caKey, sent: [], answers, slept: [], log: [] };
});

/** Answers in order, the last one for ever. */
function send(options: SendHttpsOptions): Promise<HttpsResponse> {
  world.sent.push(options);
  const queue = options.url.endsWith('/cacerts') ? world.answers.cacerts : world.answers.simpleenroll;
  const next = queue.length > 1 ? queue.shift() : queue[0];
  return Promise.resolve().then(() => {
    const answer = next?.() ?? {};
    return { status: 200, headers: {}, body: Buffer.alloc(0), tls: { protocol: null }, ...answer };
  });
}

const clock: Clock = {
  now: () => NOW,
  sleep: async (milliseconds) => {
    world.slept.push(milliseconds);
  },
};

async function enrol(changes: Partial<Enrolment> = {}, sender: typeof send = send): Promise<string[]> {
  const log = createLogger({ target: 'est', filter: 'debug', write: (line) => world.log.push(line), now: () => NOW });
  const client = createEstClient({ send: sender, clock, log, keydSocketPath: '/run/keyd.sock', random: () => 0.5 });
  const trust = { anchors: [], source: 'test' };
  const chain = await client.enrol({
    url: URL_BASE,
    csr: world.csr,
    trust,
    signal: new AbortController().signal,
    ...changes,
  });
  return chain.map(hex);
}

const hex = (certificate: Certificate): string => certificate.der.toString('hex');

const posts = () => world.sent.filter((one) => one.method === 'POST');

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

describe('answers', () => {
  test('EST-014 EST-024 EST-026 leaf first, authorities behind, duplicates once', async () => {
    world.answers.simpleenroll = [() => good(world.ca, world.leaf)];
    world.answers.cacerts = [() => good(world.ca, world.ca, world.leaf)];
    expect(await enrol()).toEqual([world.leaf, world.ca].map(hex));
  });

  test.each([['EST-017 application/pkcs7-mime; smime-type=certs-only'], ['EST-047 Application/PKCS7-MIME']])(
    '%s is the content type',
    async (text) => {
      world.answers.simpleenroll = [() => ({ ...good(world.leaf), headers: { 'content-type': text.slice(8) } })];
      expect(await enrol()).toHaveLength(2);
    },
  );

  test.each([
    [
      'EST-017 another content type',
      () => ({ ...good(world.leaf), headers: { 'content-type': 'application/octet-stream' } }),
    ],
    ['EST-017 no content type', () => ({ ...good(world.leaf), headers: {} })],
    ['a longer type', () => ({ ...good(world.leaf), headers: { 'content-type': 'application/pkcs7-mimetype' } })],
    ['EST-018 status 201', () => ({ ...good(world.leaf), status: 201 })],
    ['EST-018 status 204', () => ({ ...good(world.leaf), status: 204 })],
    ['EST-020 a redirect', () => ({ status: 302, headers: { location: 'https://other/' } })],
    ['EST-021 status 401', () => ({ status: 401 })],
    ['EST-023 no certificates', () => good()],
    ['a page', () => ({ ...good(), body: Buffer.from('<html>') })],
  ])('%s is an error and tried once', async (_name, answer) => {
    world.answers.simpleenroll = [answer];
    await expect(enrol()).rejects.toThrow(/EST server/);
    expect(posts()).toHaveLength(1);
  });

  test('EST-025 a certificate for another key is an error', async () => {
    const other = await certificate(await request(key()), world.caKey, [world.ca]);
    world.answers.simpleenroll = [() => good(other)];
    await expect(enrol()).rejects.toThrow('key of the request');
  });

  test('an expired certificate is an error, one that begins later a warning', async () => {
    const late = { ...clock, now: () => world.leaf.notAfter };
    const log = createLogger({ target: 'est', filter: '', write: () => undefined, now: () => NOW });
    const client = createEstClient({ send, clock: late, log, keydSocketPath: '/k', random: () => 0.5 });
    const trust = { anchors: [], source: 'test' };
    await expect(
      client.enrol({ url: URL_BASE, csr: world.csr, trust, signal: new AbortController().signal }),
    ).rejects.toThrow('expired');
  });

  test('EST-022 where the CA list fails nothing is enrolled', async () => {
    world.answers.cacerts = [() => ({ status: 404 })];
    await expect(enrol()).rejects.toThrow('404 to cacerts');
    expect(posts()).toEqual([]);
  });

  test('a CA list without certificates is taken, as the reference does', async () => {
    world.answers.cacerts = [() => good()];
    expect(await enrol()).toEqual([hex(world.leaf)]);
  });
});

describe('redirects', () => {
  const to = (status: number, location: string) => () => ({ status, headers: { location } });

  test.each([307, 308])('%i on the same origin is followed with the same request and credentials', async (status) => {
    world.answers.simpleenroll = [to(status, '/moved/simpleenroll'), () => good(world.leaf)];
    await enrol({ basic: { username: 'u', password: 'p' } });
    const [first, second] = posts();
    expect(second?.url).toBe('https://est.example:8443/moved/simpleenroll');
    expect([second?.body, second?.headers]).toEqual([first?.body, first?.headers]);
  });

  test('a CA list may also be elsewhere by 302', async () => {
    world.answers.cacerts = [to(302, `${URL_BASE}/other/cacerts`), () => good(world.ca)];
    expect(await enrol()).toHaveLength(2);
  });

  test.each([
    ['EST-020 another host', 'https://elsewhere.example:8443/.well-known/est/simpleenroll'],
    ['another port', 'https://est.example/x'],
    ['no TLS', 'http://est.example:8443/x'],
    ['no address', 'https://['],
  ])('%s is an error and is not contacted', async (_name, location) => {
    world.answers.simpleenroll = [to(307, location)];
    await expect(enrol()).rejects.toThrow('redirected to');
    expect(posts()).toHaveLength(1);
  });

  test.each([301, 302, 303])('EST-020 %i could turn the POST into a GET, and is an error', async (status) => {
    world.answers.simpleenroll = [to(status, `${URL_BASE}/moved/simpleenroll`)];
    await expect(enrol()).rejects.toThrow(`answered ${status}`);
    expect(posts()).toHaveLength(1);
  });

  test('a circle ends', async () => {
    world.answers.simpleenroll = [to(307, `${URL_BASE}/simpleenroll`)];
    await expect(enrol()).rejects.toThrow('more than 3 times');
  });
});

describe('csrattrs', () => {
  const ask = (answer: Partial<HttpsResponse>) => {
    const log = createLogger({ target: 'est', filter: 'off', write: () => undefined, now: () => NOW });
    const sender = async (options: SendHttpsOptions): Promise<HttpsResponse> => {
      world.sent.push(options);
      return { status: 200, headers: {}, body: Buffer.alloc(0), tls: { protocol: null }, ...answer };
    };
    const client = createEstClient({ send: sender, clock, log, keydSocketPath: '/k', random: () => 0 });
    return client.csrAttributes({
      url: URL_BASE,
      trust: { anchors: [], source: 'test' },
      signal: new AbortController().signal,
    });
  };
  const base64 = (hex: string) => Buffer.from(Buffer.from(hex, 'hex').toString('base64'));

  test.each([204, 404])('%i means no wishes', async (status) => {
    expect(await ask({ status })).toEqual({ keyAlgorithms: [], extensions: [], unknown: [] });
    expect(world.sent[0]?.url).toBe(`${URL_BASE}/csrattrs`);
  });

  test('the example of RFC 7030 4.5.2 is read: what is not known is named', async () => {
    const text = 'MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==';
    expect(await ask({ body: Buffer.from(text) })).toEqual({
      keyAlgorithms: [],
      extensions: [],
      unknown: ['1.2.840.113549.1.9.7', '1.3.132.0.34', '1.2.840.10045.4.3.3'],
    });
  });

  test('key kinds and extensions with values are taken over', async () => {
    const curve = '301506072a8648ce3d0201310a06082a8648ce3d030107';
    const rsa = '301106092a864886f70d010101310402020800';
    const eku = '301d0603551d250416301406082b0601050507030106082b06010505070302';
    const list = `301f${eku}`;
    const extensions = `302e06092a864886f70d01090e3121${list}`;
    const body = base64(`305a${curve}${rsa}${extensions}`);
    const attributes = await ask({ body });
    expect(attributes.keyAlgorithms).toEqual(['ec-p256', 'rsa-2048']);
    expect(attributes.extensions.map(({ oid, critical }) => [oid, critical])).toEqual([['2.5.29.37', false]]);
    expect(attributes.unknown).toEqual([]);
  });

  test.each([
    ['status 500', { status: 400 }],
    ['a page', { body: Buffer.from('<html>') }],
    ['damaged DER', { body: base64('3005') }],
    ['no list', { body: base64('0500') }],
  ])('%s is a typed error', async (_name, answer) => {
    await expect(ask(answer)).rejects.toMatchObject({ name: 'EstError' });
  });
});

test('simplereenroll is asked for where it is wanted', async () => {
  await enrol({ operation: 'simplereenroll' });
  expect(world.sent.map(({ url }) => url)).toEqual([`${URL_BASE}/cacerts`, `${URL_BASE}/simplereenroll`]);
});

test('both requests ask for a connection that is kept', async () => {
  await enrol();
  expect(world.sent.map(({ connection }) => connection)).toEqual(['kept', 'kept']);
});

describe('patience', () => {
  test('EST-019 a postponed enrolment is asked for again with the same request', async () => {
    const wait = () => ({ status: 202, headers: { 'retry-after': '7' } });
    const waitDate = () => ({ status: 202, headers: { 'retry-after': new Date(NOW + 9000).toUTCString() } });
    const waitDefault = () => ({ status: 202 });
    const waitLong = () => ({ status: 202, headers: { 'retry-after': '999999' } });
    world.answers.simpleenroll = [wait, waitDate, waitDefault, waitLong, () => good(world.leaf)];
    let told = 0;
    expect(await enrol({ onPostponed: () => told++ })).toEqual([world.leaf, world.ca].map(hex));
    expect(world.slept).toEqual([7000, 9000, 60_000, 3_600_000]);
    expect(new Set(posts().map((one) => one.body)).size).toBe(1);
    expect(told).toBe(4);
  });

  test('a server that postpones for ever is given up', async () => {
    world.answers.simpleenroll = [() => ({ status: 202, headers: { 'retry-after': '1' } })];
    await expect(enrol()).rejects.toThrow('postponed');
    expect(posts().length).toBeLessThan(100);
  });

  test('a server error is tried again a few times', async () => {
    world.answers.simpleenroll = [() => ({ status: 503 }), () => good(world.leaf)];
    expect(await enrol()).toHaveLength(2);
    world.answers.simpleenroll = [() => ({ status: 500 })];
    await expect(enrol()).rejects.toThrow('answered 500');
    expect(posts()).toHaveLength(2 + 3);
  });

  test('a busy server is waited for as it asks, for ten seconds at most; pauses vary by a quarter', async () => {
    const busy = (seconds: string) => () => ({ status: 503, headers: { 'retry-after': seconds } });
    world.answers.simpleenroll = [busy('7'), () => ({ status: 502 }), () => good(world.leaf)];
    await enrol();
    expect(world.slept).toEqual([7000, 3000]);
    world.answers.simpleenroll = [busy('11')];
    await expect(enrol()).rejects.toThrow('answered 503');
    expect(posts()).toHaveLength(4);
  });

  test.each(['not-connected', 'closed'] as const)('%s is tried again', async (kind) => {
    world.answers.simpleenroll = [
      () => {
        throw new HttpsError(kind, 'no');
      },
      () => good(world.leaf),
    ];
    expect(await enrol()).toHaveLength(2);
  });

  test.each(['untrusted-server', 'client-credential', 'timed-out'] as const)('EST-027 %s is final', async (kind) => {
    world.answers.simpleenroll = [
      () => {
        throw new HttpsError(kind, 'no');
      },
    ];
    await expect(enrol()).rejects.toMatchObject({ kind });
    expect(posts()).toHaveLength(1);
  });

  test('every exchange has limits', async () => {
    await enrol();
    for (const one of world.sent) expect(one).toMatchObject({ connectTimeoutMs: 15_000, totalTimeoutMs: 60_000 });
  });

  test('passwords never reach the log', async () => {
    world.answers.simpleenroll = [() => ({ status: 500 })];
    await enrol({ basic: { username: 'u', password: 'sesame' } }).catch(() => undefined);
    expect(world.log.length).toBeGreaterThan(0);
    expect(world.log.join()).not.toMatch(new RegExp(`sesame|${Buffer.from('u:sesame').toString('base64')}`));
  });
});
