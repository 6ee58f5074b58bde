import { describe, expect, it } from 'vitest';
import { asksForReprovisioning, CloudError, createHubClient, meansOffline } from './index.ts';
import { createFakeCloud, type FakeAnswer, type FakeCloud, signAsDevice } from './testing/fake-cloud.ts';

const MODULE = { moduleId: 'm1', deviceId: 'Dev-01', generationId: '637' };
const KEYS = { primary: 'cA==', secondary: 'cw==' };
const HUB = 'https://hub1.iot.test';

function hubOf(cloud: FakeCloud, over: object = {}) {
  return createHubClient(cloud.context, {
    hubName: 'hub1.iot.test',
    gatewayHost: 'hub1.iot.test',
    deviceId: 'Dev-01',
    credential: { kind: 'token', sign: signAsDevice },
    ...over,
  });
}

async function failed(work: Promise<unknown>): Promise<CloudError> {
  const error = await work.then(() => undefined).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(CloudError);
  return error as CloudError;
}

async function failureOfGet(answer: FakeAnswer, times = 1): Promise<CloudError> {
  const cloud = createFakeCloud();
  cloud.answer(...Array(times).fill(answer));
  return failed(hubOf(cloud).get('m1'));
}

const names = (headers: readonly (readonly [string, string])[]) => headers.map(([name]) => name);

describe('requests to the hub', () => {
  it('CL-032: creates without If-Match and without authentication', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 200, body: MODULE });
    expect(await hubOf(cloud).create('m1')).toEqual({ ...MODULE, managedBy: undefined });
    const [request] = cloud.seen;
    expect(request!.line).toBe(`PUT ${HUB}/devices/Dev-01/modules/m1?api-version=2017-11-08-preview`);
    expect(request!.body).toBe('{"moduleId":"m1","deviceId":"Dev-01"}');
    expect(names(request!.headers)).toEqual(['content-type', 'authorization', 'host', 'content-length']);
  });

  it('CL-033: updates with If-Match: * and both keys', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 200, body: MODULE });
    await hubOf(cloud).update('m1', KEYS);
    const [request] = cloud.seen;
    expect(request!.body).toBe(
      '{"moduleId":"m1","deviceId":"Dev-01","authentication":{"symmetricKey":{"primaryKey":"cA==","secondaryKey":"cw=="},"type":"sas"}}',
    );
    expect(names(request!.headers)).toEqual(['content-type', 'authorization', 'if-match', 'host', 'content-length']);
    expect(request!.headers[2]).toEqual(['if-match', '*']);
  });

  it('CL-034: a deletion is done at 204 only', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 204 }, { status: 200 }, { status: 404, body: { Message: 'x' } });
    const hub = hubOf(cloud);
    await hub.delete('m1');
    expect(names(cloud.seen[0]!.headers)).toEqual(['authorization', 'if-match', 'host']);
    expect((await failed(hub.delete('m1'))).message).toBe('unexpected HTTP status code: 200 OK');
    expect((await failed(hub.delete('m1'))).message).toBe('unexpected HTTP status code: 404 Not Found');
  });

  it('CL-035: asks the gateway, with a token for the hub', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 200, body: [] });
    await hubOf(cloud, { gatewayHost: 'gw.iot.test:8443' }).list();
    const [request] = cloud.seen;
    expect(request!.line).toMatch(/^GET https:\/\/gw.iot.test:8443\/devices\/Dev-01\/modules\?/);
    expect(request!.headers).toContainEqual(['host', 'gw.iot.test:8443']);
    expect(request!.headers[0]![1]).toMatch(/^SharedAccessSignature sr=hub1\.iot\.test\/devices\/dev-01&sig=/);
  });

  it('CL-006, CL-007: a certificate goes without a token, a token without a certificate', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 200, body: [] }, { status: 200, body: [] });
    const certificate = { keyHandle: 'h', certificateChainPem: 'pem' };
    await hubOf(cloud, { credential: { kind: 'certificate', certificate } }).list();
    await hubOf(cloud).list();
    expect(names(cloud.seen[0]!.headers)).toEqual(['host']);
    expect(cloud.seen[0]!.credential).toEqual(certificate);
    expect(cloud.seen[1]!.credential).toBeUndefined();
  });

  it('CL-002: a hub token has no key name and lives five minutes', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 200, body: [] });
    await hubOf(cloud).list();
    expect(cloud.seen[0]!.headers[0]![1]).toMatch(/&se=1767225900$/);
  });

  it('refuses ids and hosts that would change the address, without a request', async () => {
    const cloud = createFakeCloud();
    await failed(hubOf(cloud).get('..'));
    for (const id of ['', '.', '..']) await failed(hubOf(cloud, { deviceId: id }).list());
    const hosts = [
      '',
      'hub1/x',
      'hub1\\x',
      'hub1#x',
      'hub1?x',
      'u:p@hub1',
      '@hub1',
      'hub\r\n1',
      'hub\t1',
      'hub 1',
      'hub1:x',
    ];
    for (const gatewayHost of hosts) await failed(hubOf(cloud, { gatewayHost }).list());
    expect(cloud.seen).toEqual([]);
  });
});

describe('answers of the hub', () => {
  it('CL-039, CL-040: reads what it needs and ignores the rest', async () => {
    const cloud = createFakeCloud();
    const odd = {
      ...MODULE,
      moduleId: 'ca',
      managedBy: null,
      authentication: { type: 'certificateAuthority' },
      more: 1,
    };
    cloud.answer({
      status: 200,
      body: [MODULE, odd, { moduleId: 'n', deviceId: MODULE.deviceId, authentication: null }],
    });
    const list = await hubOf(cloud).list();
    expect(list.map((module) => [module.moduleId, module.generationId])).toEqual([
      ['m1', '637'],
      ['ca', '637'],
      ['n', undefined],
    ]);
  });

  it('CL-036: passes on the text of the hub', async () => {
    const error = await failureOfGet({ status: 409, body: { Message: 'ErrorCode:ModuleAlreadyExistsOnDevice;x' } });
    expect(error.message).toBe('ErrorCode:ModuleAlreadyExistsOnDevice;x');
    expect(error.failure).toBe('conflict');
  });

  it.each([
    [{ status: 500, body: { Message: 'broke' } }, 'broke', 'transient'],
    [{ status: 500 }, 'HTTP error 500 Internal Server Error', 'transient'],
    [{ status: 401, body: { Message: 'no' } }, 'no', 'auth'],
    [{ status: 404 }, 'HTTP error 404 Not Found', 'not-found'],
    [{ status: 412, body: { Message: 'pre' } }, 'pre', 'refused'],
    [{ status: 201 }, 'Expected one of [200], got 201 Created', 'invalid-data'],
    [{ status: 302 }, 'Expected one of [200], got 302 Found', 'invalid-data'],
    [{ status: 200, body: '{' }, 'the answer is not valid JSON', 'invalid-data'],
    [
      { status: 200, body: '{}', headers: { 'content-type': 'text/html' } },
      'invalid Content-Type; expected JSON',
      'invalid-data',
    ],
    [{ status: 503, body: { errorMessage: 'x', networkError: true } }, 'x', 'network'],
  ] as const)('CL-037, CL-038, CL-041: classes %j', async (answer, message, failure) => {
    const error = await failureOfGet(answer);
    expect([error.message, error.failure]).toEqual([message, failure]);
  });

  it('knows which failures mean offline and which ask for a new registration', async () => {
    const offline = await failureOfGet({ fails: 'closed' }, 2);
    expect([meansOffline(offline), asksForReprovisioning(offline)]).toEqual([true, false]);
    const refused = await failureOfGet({ status: 401 });
    expect([meansOffline(refused), asksForReprovisioning(refused)]).toEqual([false, true]);
    const untrusted = await failureOfGet({ fails: 'untrusted-server' });
    expect([untrusted.failure, meansOffline(untrusted), asksForReprovisioning(untrusted)]).toEqual([
      'untrusted',
      false,
      false,
    ]);
  });
});

describe('attempts', () => {
  it.each([
    [0, [0]],
    [1, [0, 3]],
    [3, [0, 3, 6, 9]],
  ])('CL-042: %i retries of a refused connection', async (retries, times) => {
    const cloud = createFakeCloud({ retries });
    cloud.answer(...Array(times.length).fill({ fails: 'not-connected' }));
    expect((await failed(hubOf(cloud).list())).failure).toBe('network');
    expect(cloud.seen.map((request) => request.at)).toEqual(times);
    expect(cloud.logged[0]).toContain(`Failed to send HTTP request (attempt 1 of ${retries + 1})`);
  });

  it('CL-043, CL-047: every attempt carries a fresh token', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 429 }, { status: 200, body: [] });
    await hubOf(cloud).list();
    const expiry = cloud.seen.map((request) => Number(/se=(\d+)/.exec(request.headers[0]![1])![1]));
    expect(cloud.seen[1]!.at).toBe(60);
    expect(expiry[1]! - expiry[0]!).toBe(60);
    expect(cloud.logged[0]).toContain('HTTP request throttled (attempt 1 of 5). sleeping for 60 seconds.');
  });

  it('CL-045, CL-046: throttled to the end', async () => {
    const cloud = createFakeCloud({ retries: 0, random: () => 0.5 });
    cloud.answer(...Array(5).fill({ status: 429 }));
    const error = await failed(hubOf(cloud).list());
    expect([error.message, error.failure]).toEqual(['429: Too many requests', 'transient']);
    expect(cloud.seen.map((request) => request.at)).toEqual([0, 65, 195, 390, 705]);
  });

  it('CL-044: an unavailable hub is asked again after Retry-After', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 503, headers: { 'retry-after': '7' } }, { status: 200, body: [] });
    expect(await hubOf(cloud).list()).toEqual([]);
    expect(cloud.seen[1]!.at).toBe(7);
  });

  it('does not repeat a request to a server that is not trusted', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ fails: 'untrusted-server' });
    await failed(hubOf(cloud).list());
    expect(cloud.seen).toHaveLength(1);
  });

  it('says that the clock may be wrong when a token is refused', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 401, headers: { date: 'Thu, 01 Jan 2026 01:00:00 GMT' } });
    await failed(hubOf(cloud).list());
    expect(cloud.logged.join('')).toContain("differs from this device's by 3600 seconds");
  });

  it('a failing key service is not a network error', async () => {
    const cloud = createFakeCloud();
    const sign = async () => Promise.reject(new Error('keyd is away'));
    const error = await failed(hubOf(cloud, { credential: { kind: 'token', sign } }).list());
    expect([error.failure, meansOffline(error)]).toEqual(['local', false]);
  });
});
