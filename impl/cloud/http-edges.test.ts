import { HttpResponse, http } from 'msw';
import { setupServer } from 'msw/node';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HttpsError, type HttpsResponse, type SendHttpsOptions } from '../https/index.ts';
import { type CloudError, type CloudFailure, createHubClient, registerDevice } from './index.ts';
import { createFakeCloud, signAsDevice } from './testing/fake-cloud.ts';

/** Each single HTTP edge of the two services, at the clients' own interface (docs/decisions/cloud-http-edges.md). */
const server = setupServer();
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
afterEach(() => server.resetHandlers());
afterAll(() => server.close());

const HUB = 'https://hub1.iot.test/devices/Dev-01/modules';
const REGISTER = 'https://dps.iot.test/0neScope/registrations/Reg-01/register';
const POLL = 'https://dps.iot.test/0neScope/registrations/Reg-01/operations/op';
const JSON_TYPE = { 'content-type': 'application/json; charset=utf-8' };
const MODULE = JSON.stringify({ moduleId: 'm1', deviceId: 'Dev-01', generationId: '637' });
const ASSIGNED = JSON.stringify({
  operationId: 'op',
  status: 'assigned',
  registrationState: { assignedHub: 'hub1.iot.test', deviceId: 'Dev-01' },
});
const PENDING = JSON.stringify({ operationId: 'op', status: 'assigning' });

async function send(options: SendHttpsOptions): Promise<HttpsResponse> {
  const { method, url, body } = options;
  // fetch sets these itself
  const headers = options.headers.filter(([name]) => name !== 'host' && name !== 'content-length');
  const sent = {
    method,
    redirect: 'manual',
    headers: headers.map(([name, value]) => [name, value] as [string, string]),
  } as const;
  try {
    const answer = await fetch(url, body === undefined ? sent : { ...sent, body: String(body) });
    const bytes = Buffer.from(await answer.arrayBuffer());
    return {
      status: answer.status,
      headers: Object.fromEntries(answer.headers),
      body: bytes,
      tls: { protocol: 'TLSv1.3' },
    };
  } catch (cause) {
    throw new HttpsError('closed', 'the exchange failed', cause);
  }
}

interface Edge {
  readonly status?: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly breaks?: true;
}

const answer = ({ status = 200, body, headers = JSON_TYPE, breaks }: Edge) =>
  breaks ? HttpResponse.error() : new HttpResponse(body === undefined ? null : Buffer.from(body), { status, headers });

const context = () => createFakeCloud({ send, retries: 0 }).context;
const hub = () =>
  createHubClient(context(), {
    hubName: 'hub1.iot.test',
    gatewayHost: 'hub1.iot.test',
    deviceId: 'Dev-01',
    credential: { kind: 'token', sign: signAsDevice },
  });
const register = () =>
  registerDevice(context(), {
    endpoint: new URL('https://dps.iot.test'),
    scopeId: '0neScope',
    registrationId: 'Reg-01',
    credential: { kind: 'token', sign: signAsDevice },
  });

/** The class and the text of a failure, or `done`. */
async function outcome(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => 'done',
    (error: CloudError) => `${error.failure}: ${error.message}`,
  );
}

const HUB_EDGES: readonly (readonly [string, Edge, CloudFailure | 'done', RegExp])[] = [
  ['a module', { body: MODULE }, 'done', /./],
  ['a module without content type', { body: MODULE, headers: {} }, 'done', /./],
  ['a module with members that nobody knows', { body: MODULE.replace('{', '{"new":{"deep":[1]},') }, 'done', /./],
  ['an empty body', {}, 'invalid-data', /not valid JSON/],
  ['half a body', { body: MODULE.slice(0, 20) }, 'invalid-data', /not valid JSON/],
  ['another shape', { body: '[1]' }, 'invalid-data', /not a module/],
  ['null', { body: 'null' }, 'invalid-data', /not a module/],
  ['another module', { body: MODULE.replace('"m1"', '"m2"') }, 'invalid-data', /about another module/],
  ['a module of another device', { body: MODULE.replace('Dev-01', 'Dev-02') }, 'invalid-data', /about another device/],
  ['a module in the spelling of the hub', { body: MODULE.replace('"m1"', '"M1"') }, 'done', /./],
  ['an error of a megabyte', { status: 400, body: `{"Message":"${'z'.repeat(1_000_000)}"}` }, 'refused', /^.{0,2100}$/],
  ['a page', { body: '<html>', headers: { 'content-type': 'text/html' } }, 'invalid-data', /invalid Content-Type/],
  ['201', { status: 201, body: MODULE }, 'invalid-data', /Expected one of \[200\], got 201 Created/],
  ['204', { status: 204 }, 'invalid-data', /got 204 No Content/],
  ['302', { status: 302, headers: { location: 'https://elsewhere.test/' } }, 'invalid-data', /got 302 Found/],
  ['400', { status: 400, body: '{"Message":"ErrorCode:ArgumentInvalid;"}' }, 'refused', /ArgumentInvalid/],
  ['401', { status: 401, body: '{"Message":"ErrorCode:IotHubUnauthorizedAccess;"}' }, 'auth', /Unauthorized/],
  ['403', { status: 403, body: '{"Message":"ErrorCode:DeviceDisabled;"}' }, 'auth', /DeviceDisabled/],
  ['404', { status: 404, body: '{"Message":"ErrorCode:ModuleNotFound;"}' }, 'not-found', /ModuleNotFound/],
  ['404 with an empty body', { status: 404 }, 'not-found', /HTTP error 404 Not Found/],
  ['409', { status: 409, body: '{"Message":"ErrorCode:ModuleAlreadyExistsOnDevice;"}' }, 'conflict', /AlreadyExists/],
  ['412', { status: 412, body: '{"Message":"ErrorCode:PreconditionFailed;"}' }, 'refused', /PreconditionFailed/],
  ['429 to the end', { status: 429 }, 'transient', /429: Too many requests/],
  ['500', { status: 500, body: '{"Message":"ErrorCode:ServerError;"}' }, 'transient', /ServerError/],
  ['500 with an empty body', { status: 500 }, 'transient', /500 Internal Server Error/],
  [
    '502 with a page',
    { status: 502, body: '<html>', headers: { 'content-type': 'text/html' } },
    'transient',
    /Content-Type/,
  ],
  ['503', { status: 503, body: '{"Message":"busy"}' }, 'transient', /busy/],
  ['504', { status: 504 }, 'transient', /504 Gateway Timeout/],
  ['a parent without network', { status: 503, body: '{"errorMessage":"x","networkError":true}' }, 'network', /x/],
  ['an error that is no JSON', { status: 400, body: '{' }, 'refused', /not valid JSON/],
  ['an error without a text', { status: 400, body: '{"code":1}' }, 'refused', /HTTP error 400 Bad Request/],
  ['a connection that breaks', { breaks: true }, 'network', /exchange failed/],
];

describe('every answer to the hub client is one outcome', () => {
  it.each(HUB_EDGES)('%s', async (_, edge, expected, text) => {
    server.use(http.all(`${HUB}/m1`, () => answer(edge)));
    const calls = [hub().get('m1'), hub().create('m1'), hub().update('m1', { primary: 'cA==', secondary: 'cw==' })];
    for (const told of await Promise.all(calls.map(outcome))) {
      expect(told.split(':')[0]).toBe(expected);
      expect(told).toMatch(text);
    }
  });

  it.each([
    [{ status: 204 }, 'done'],
    [{ status: 200, body: '{}' }, 'invalid-data: unexpected HTTP status code: 200 OK'],
    [{ status: 401 }, 'auth: unexpected HTTP status code: 401 Unauthorized'],
    [
      { status: 404, body: '{"Message":"ErrorCode:ModuleNotFound;"}' },
      'not-found: unexpected HTTP status code: 404 Not Found',
    ],
    [{ status: 503 }, 'transient: unexpected HTTP status code: 503 Service Unavailable'],
    [{ breaks: true }, 'network: the exchange failed'],
  ] as const)('CL-034: a deletion that is answered with %o', async (edge, expected) => {
    server.use(http.delete(`${HUB}/m1`, () => answer(edge)));
    expect(await outcome(hub().delete('m1'))).toBe(expected);
  });

  it.each([
    [{ body: '[]' }, 'done'],
    [{ body: `[${MODULE},${MODULE.replace('"637"', 'null')}]` }, 'done'],
    [{ body: '{"value":[]}' }, 'invalid-data: the answer of the hub is not a list of modules'],
    [{ body: `[${MODULE.replace('Dev-01', 'x')}]` }, 'invalid-data: the answer of the hub is about another device'],
    [{ body: '[{"moduleId":"m1"}]' }, 'invalid-data: the answer of the hub is not a list of modules'],
  ] as const)('a list that is answered with %o', async (edge, expected) => {
    server.use(http.get(HUB, () => answer(edge)));
    expect(await outcome(hub().list())).toBe(expected);
  });
});

const REGISTER_EDGES: readonly (readonly [string, Edge, string | RegExp])[] = [
  ['202 with an operation', { status: 202, body: PENDING }, 'done'],
  ['CL-019: 200 with the assignment', { status: 200, body: ASSIGNED }, 'done'],
  ['202 without an operation', { status: 202, body: '{}' }, /^invalid-data: /],
  ['202 with an empty body', { status: 202 }, /^invalid-data: the answer is not valid JSON/],
  [
    'CL-022: 400 with a page',
    { status: 400, body: '<p>', headers: { 'content-type': 'text/html' } },
    /^refused: invalid Content-Type/,
  ],
  ['CL-020: 401', { status: 401, body: '{"errorCode":401002,"message":"Unauthorized"}' }, 'auth: Unauthorized'],
  ['CL-021: 404 with an empty body', { status: 404 }, 'not-found: HTTP error 404 Not Found'],
  [
    '404 in the words of an older version',
    { status: 404, body: '{"code":404201,"errorMessage":"none"}' },
    'not-found: none',
  ],
  [
    'CL-054: 302',
    { status: 302, headers: { location: 'https://elsewhere.test' } },
    /^invalid-data: Expected one of \[202\], got 302/,
  ],
  ['500', { status: 500, body: '{"errorCode":500000,"message":"oops"}' }, 'transient: oops'],
  ['a connection that breaks', { breaks: true }, 'network: the exchange failed'],
];

describe('every answer to the DPS client is one outcome', () => {
  it.each(REGISTER_EDGES)('a registration that is answered with %s', async (_, edge, expected) => {
    server.use(
      http.put(REGISTER, () => answer(edge)),
      http.get(POLL, () => answer({ body: ASSIGNED })),
    );
    const told = await outcome(register());
    if (typeof expected === 'string') expect(told).toBe(expected);
    else expect(told).toMatch(expected);
  });

  it.each([
    ['CL-016: 202 with the assignment', { status: 202, body: ASSIGNED }, 'done'],
    [
      'CL-023: a failure',
      { body: '{"status":"failed","registrationState":{"errorCode":400208,"errorMessage":"no hub"}}' },
      'refused: no hub',
    ],
    [
      'CL-024: a disabled enrolment',
      { body: '{"status":"disabled"}' },
      /^refused: the enrolment of this device is disabled/,
    ],
    [
      'an unknown status',
      { body: '{"status":"dancing"}' },
      /^invalid-data: DPS answered with the unknown status "dancing"/,
    ],
    [
      'CL-028: an assignment without a hub',
      { body: '{"status":"assigned","registrationState":{"deviceId":"d"}}' },
      /assignedHub/,
    ],
    [
      'an assignment without a device',
      { body: '{"status":"assigned","registrationState":{"assignedHub":"h"}}' },
      /deviceId/,
    ],
    ['CL-028: a hub that is no host', { body: ASSIGNED.replace('hub1.iot.test', 'https://x/y') }, /is not a host name/],
    ['CL-028: the device ..', { body: ASSIGNED.replace('Dev-01', '..') }, /^invalid-data: DPS assigned an impossible/],
    ['401', { status: 401, body: '{"errorCode":401002,"message":"Unauthorized"}' }, 'auth: Unauthorized'],
    ['half a body', { body: ASSIGNED.slice(0, 30) }, /^invalid-data: the answer is not valid JSON/],
  ] as const)('a poll that is answered with %s', async (_, edge, expected) => {
    server.use(
      http.put(REGISTER, () => answer({ status: 202, body: PENDING })),
      http.get(POLL, () => answer(edge)),
    );
    const told = await outcome(register());
    if (typeof expected === 'string') expect(told).toBe(expected);
    else expect(told).toMatch(expected);
  });

  it.each([
    ['CL-027: a connection that breaks', { breaks: true }],
    ['503', { status: 503 }],
    ['CL-025: assigning without a state', { body: PENDING }],
    ['CL-024: unassigned', { body: '{"status":"unassigned"}' }],
  ] as const)('the next poll finds the assignment after %s', async (_, edge) => {
    let polls = 0;
    server.use(
      http.put(REGISTER, () => answer({ status: 202, body: PENDING })),
      http.get(POLL, () => answer(polls++ === 0 ? edge : { body: ASSIGNED })),
    );
    expect(await outcome(register())).toBe('done');
    expect(polls).toBe(2);
  });
});
