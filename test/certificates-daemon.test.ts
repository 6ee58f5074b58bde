import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makeRequest } from './support/certificate-request.ts';
import { CERTD_V, Device, KEYD_V, until } from './support/device.ts';

const USER = 4001;
let device: Device;
let pem: string;

interface Raw {
  readonly status: number;
  readonly text: string;
}

/** A request with a raw body and content type. */
function send(method: string, target: string, body = '', contentType?: string): Promise<Raw> {
  return new Promise((done, fail) => {
    const headers: Record<string, string | number> = { 'content-length': Buffer.byteLength(body) };
    if (contentType !== undefined) headers['content-type'] = contentType;
    const sent = request(
      { socketPath: device.socket('certd'), method, path: target, headers, agent: false },
      (answer) => {
        let text = '';
        answer.on('data', (chunk) => {
          text += chunk;
        });
        answer.on('end', () => done({ status: answer.statusCode ?? 0, text }));
      },
    );
    sent.on('error', fail);
    sent.end(body);
  });
}

const message = (answer: Raw): string => (answer.text === '' ? '' : JSON.parse(answer.text).message);
const item = (id: string) => `/certificates/${id}?${CERTD_V}`;
const JSON_TYPE = 'application/json';

beforeAll(async () => {
  device = new Device();
  device.configure('keyd', `[aziot_keys]\nhomedir_path = "${device.path('keyd')}"`);
  device.configure(
    'certd',
    `homedir_path = "${device.path('certd')}"
unknown = 1
[cert_issuance]
self = { method = "self_signed" }
[[principal]]
uid = ${USER}
certs = ["dev*"]`,
  );
  await Promise.all([device.start('keyd'), device.start('certd')]);
  const key = { keyId: 'self', preferredAlgorithms: 'ec-p256' };
  const { keyHandle } = (await device.call('keyd', 'POST', `/keypair?${KEYD_V}`, key)).body;
  expect(keyHandle).toContain('sr=');
  const csr = makeRequest(device.path('files'), '/CN=x');
  expect((await device.call('certd', 'POST', `/certificates?${CERTD_V}`, { certId: 'self', csr })).status).toBe(400);
  execFileSync('openssl', [
    'req',
    '-x509',
    '-key',
    device.path('files', 'request.key'),
    '-subj',
    '/CN=TEST',
    '-out',
    device.path('files', 'c.pem'),
  ]);
  pem = readFileSync(device.path('files', 'c.pem'), 'utf8');
}, 60_000);
afterAll(() => device.close());

describe('certd on its socket', () => {
  test.each([
    ['CS-001 no version', 'GET', '/certificates/x', 400, 'api-version not specified'],
    [
      'CS-002 unknown version',
      'GET',
      '/certificates/x?api-version=2099-01-01',
      400,
      'invalid api-version "2099-01-01"',
    ],
    [
      'CS-003 last version wins',
      'GET',
      `/certificates/x?api-version=bad&${CERTD_V}`,
      400,
      'parameter "id" has an invalid value\ncaused by: not found',
    ],
    ['CS-004 unknown path without version', 'GET', '/nothing', 400, 'api-version not specified'],
    ['CS-004 unknown path', 'GET', `/nothing?${CERTD_V}`, 404, 'not found'],
    ['CS-005 collection', 'GET', `/certificates?${CERTD_V}`, 400, 'method not allowed'],
    ['CS-006 PATCH', 'PATCH', item('x'), 400, 'method not allowed'],
    ['CS-007 empty segment', 'GET', `/certificates/?${CERTD_V}`, 404, 'not found'],
    ['CS-007 extra segment', 'GET', `/certificates/a/b?${CERTD_V}`, 404, 'not found'],
    ['CS-009 bad UTF-8', 'GET', item('%FF'), 404, 'not found'],
  ])('%s', async (_name, method, target, status, text) => {
    const answer = await send(method, target);
    expect([answer.status, message(answer)]).toEqual([status, text]);
  });

  test.each([
    ['CS-018 other type', 'PUT', item('x'), '{}', 'text/plain', 415],
    ['CS-021 broken', 'PUT', item('x'), '{', JSON_TYPE, 422],
    ['CS-021 no pem', 'PUT', item('x'), '{}', JSON_TYPE, 422],
    ['an array', 'PUT', item('x'), '["x"]', JSON_TYPE, 422],
    ['CS-027 broken body', 'DELETE', item('x'), '{', JSON_TYPE, 422],
    ['CS-028 empty', 'POST', `/certificates?${CERTD_V}`, '', undefined, 400],
    ['CS-029 other type', 'POST', `/certificates?${CERTD_V}`, '{}', 'text/plain', 400],
    [
      'CS-033 half an issuer',
      'POST',
      `/certificates?${CERTD_V}`,
      '{"certId":"x","csr":"y","issuer":{"certId":"z"}}',
      JSON_TYPE,
      422,
    ],
  ])('%s', async (_name, method, target, body, type, status) => {
    const answer = await send(method, target, body, type);
    expect(answer.status).toBe(status);
    if (status === 400) expect(message(answer)).toBe('missing request body');
  });

  test('CS-008 CS-011 CS-019 CS-020 CS-023 stored by root, read by anybody, any JSON type', async () => {
    const body = JSON.stringify({ pem, extra: 1 });
    for (const type of [undefined, JSON_TYPE, 'application/json; charset=utf-8']) {
      expect(await send('PUT', item('a%2Fb'), body, type)).toEqual({ status: 201, text: JSON.stringify({ pem }) });
    }
    expect(await device.call('certd', 'GET', item('a%2Fb'), undefined, 4002)).toEqual({ status: 200, body: { pem } });
    expect(readdirSync(device.path('certd', 'certs')).some((name) => name.startsWith('ab-'))).toBe(true);
  });

  test('CS-012 CS-013 CS-014 CS-015 CS-022 who may write', async () => {
    const put = (id: string, uid: number, body: unknown = { pem }) => device.call('certd', 'PUT', item(id), body, uid);
    expect((await put('device-id', USER)).status).toBe(201);
    expect(await put('other', USER)).toEqual({
      status: 401,
      body: { message: `user ${USER} is not authorized to modify the cert other` },
    });
    expect((await put('other', USER, { nothing: 1 })).status).toBe(422);
    expect((await device.call('certd', 'DELETE', item('device-id'), undefined, 4002)).status).toBe(401);
    expect((await device.call('certd', 'GET', item('other'))).status).toBe(400);
  });

  test('CS-041 CS-080 a failing key service is an internal error and nothing more', async () => {
    await device.stop('keyd', 'SIGKILL');
    const csr = makeRequest(device.path('files'), '/CN=x');
    const answer = await device.call('certd', 'POST', `/certificates?${CERTD_V}`, { certId: 'self', csr });
    expect(answer).toEqual({ status: 500, body: { message: 'internal error' } });
    await device.logged('certd', /could not reach keyd/);
    expect((await device.call('certd', 'GET', item('a%2Fb'))).status).toBe(200);
  });

  test('CS-074 CS-057 a new principal counts without a restart, a bad configuration changes nothing', async () => {
    mkdirSync(device.path('certd.d'), { recursive: true });
    writeFileSync(device.path('certd.d', '10.toml'), `[[principal]]\nuid = ${USER}\ncerts = ["late"]\n`);
    const put = () => device.call('certd', 'PUT', item('late'), { pem }, USER);
    expect((await put()).status).toBe(401);
    await until(
      async () => (await put()).status === 201,
      14_500,
      () => device.log('certd'),
    );
    writeFileSync(
      device.path('certd.d', '20.toml'),
      '[cert_issuance]\nx = { method = "self_signed", expiry_days = 0 }\n',
    );
    await device.logged('certd', /keeping the old configuration: .*expiry_days/, 14_500);
    expect((await put()).status).toBe(201);
  }, 40_000);
});

test.each([
  ['CS-058 no home directory', 'max_requests = 3', /homedir_path/],
  [
    'EST-029 trusted certificate that is not there',
    'homedir_path = "/nowhere"\n[cert_issuance.est]\ntrusted_certs = ["gone"]',
    /"gone"/,
  ],
])('%s: exit 1', async (_name, toml, text) => {
  const other = new Device();
  other.configure('certd', toml);
  await other.start('certd');
  expect([await other.stop('certd'), other.alive('certd')]).toEqual([1, false]);
  expect(other.log('certd')).toMatch(text);
  await other.close();
});
