import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createTestPki, ManualClock, type TestPki } from '../common/index.ts';
import {
  issueTestCertificate,
  sendTestRequest,
  type TestCredential,
  type TestRequest,
  testToken,
} from '../credentials/index.ts';
import { createHubSimulator, type HubSimulator } from './index.ts';

const VERSION = 'api-version=2017-11-08-preview';
const KEY = Buffer.alloc(32, 4).toString('base64');
const SECONDARY = Buffer.alloc(32, 5).toString('base64');
const B_KEY = Buffer.alloc(32, 6).toString('base64');

const clock = new ManualClock(Date.now());
let pki: TestPki;
let hub: HubSimulator;
let root: TestCredential;

const seconds = () => Math.floor(clock.now() / 1000);
const token = (path = 'devices/dev-01', key = KEY, changes: { se?: number; skn?: string; host?: string } = {}) =>
  testToken({ resource: `${changes.host ?? hub.hostName}/${path}`, key, se: seconds() + 30, ...changes });

type Call = Partial<Omit<TestRequest, 'headers'>> & { authorization?: string | null; headers?: Record<string, string> };

function call(method: string, target: string, { authorization = token(), headers, ...rest }: Call = {}) {
  const all = { ...(authorization === null ? {} : { authorization }), ...headers };
  const query = target.includes('?') ? '' : `?${VERSION}`;
  return sendTestRequest({
    method,
    url: hub.url,
    target: target + query,
    headers: all,
    ca: pki.root.certificatePem,
    ...rest,
  });
}

const put = (moduleId: string, call_: Call & { deviceId?: string; members?: object } = {}) => {
  const { deviceId = 'Dev-01', members = {}, headers, ...rest } = call_;
  const body = JSON.stringify({ moduleId, deviceId, ...members });
  const path = `/devices/${deviceId}/modules/${encodeURIComponent(moduleId)}`;
  return call('PUT', path, { body, headers: { 'content-type': 'application/json', ...headers }, ...rest });
};

const ANY = { 'if-match': '*' };

function expectRefusal(
  answer: { status: number; headers: Record<string, string>; body: unknown },
  status: number,
  name: string,
) {
  expect(answer.status).toBe(status);
  expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
  expect(answer.headers['iothub-errorcode']).toBe(name);
  expect(answer.body).toEqual({
    Message: expect.stringMatching(new RegExp(`^ErrorCode:${name};.`)),
    ExceptionMessage: expect.stringMatching(
      /^Tracking ID:[0-9a-f]{32}-G:1-TimeStamp:\d\d\/\d\d\/\d{4} \d\d:\d\d:\d\d$/,
    ),
  });
}

beforeAll(async () => {
  pki = await createTestPki();
  root = issueTestCertificate({ commonName: 'TEST device root', role: 'authority' });
  hub = await createHubSimulator({ pki, clock, gateway: { errors: 'edge' }, aliases: ['hub1.iot.test'] });
});
afterAll(() => hub.close());
beforeEach(() => {
  for (const { deviceId } of hub.registry.listDevices()) hub.registry.removeDevice(deviceId);
  hub.registry.upsertDevice({
    deviceId: 'Dev-01',
    authentication: { type: 'sas', primaryKey: KEY, secondaryKey: SECONDARY },
  });
  hub.registry.upsertDevice({
    deviceId: 'Dev-B',
    authentication: { type: 'sas', primaryKey: B_KEY, secondaryKey: B_KEY },
  });
  hub.messages.clear();
  hub.journal.clear();
});

describe('modules of a device', () => {
  test('CL-059 create twice, list, get, update, delete, create: as the service answers', async () => {
    expect((await call('GET', '/devices/Dev-01/modules')).body).toEqual([]);
    const created = await put('m1');
    expect(created.status).toBe(200);
    expect(created.headers['etag']).toBe(`"${created.body.etag}"`);
    expect(created.body).toMatchObject({
      moduleId: 'm1',
      deviceId: 'Dev-01',
      managedBy: null,
      authentication: { type: 'sas' },
    });
    expect(Buffer.from(created.body.authentication.symmetricKey.primaryKey, 'base64')).toHaveLength(32);

    expectRefusal(await put('m1'), 409, 'ModuleAlreadyExistsOnDevice');

    const symmetricKey = { primaryKey: B_KEY, secondaryKey: SECONDARY };
    const updated = await put('m1', { headers: ANY, members: { authentication: { symmetricKey, type: 'sas' } } });
    expect(updated.body).toEqual({
      ...created.body,
      etag: updated.body.etag,
      authentication: { ...created.body.authentication, symmetricKey },
    });
    expect(updated.body.etag).not.toBe(created.body.etag);
    expect((await call('GET', '/devices/Dev-01/modules/m1')).body).toEqual(updated.body);
    expect((await call('GET', '/devices/Dev-01/modules')).body).toEqual([updated.body]);

    const deleted = await call('DELETE', '/devices/Dev-01/modules/m1', { headers: ANY });
    expect([deleted.status, deleted.body]).toEqual([204, '']);
    expectRefusal(await call('DELETE', '/devices/Dev-01/modules/m1', { headers: ANY }), 404, 'ModuleNotFound');

    const again = await put('m1');
    expect(BigInt(again.body.generationId)).toBeGreaterThan(BigInt(created.body.generationId));
  });

  test('CL-061 a stale etag answers 412, an update of a missing module 404', async () => {
    const { etag } = (await put('m1')).body;
    expect((await put('m1', { headers: { 'if-match': `"${etag}"` } })).status).toBe(200);
    expectRefusal(await put('m1', { headers: { 'if-match': `"${etag}"` } }), 412, 'PreconditionFailed');
    expectRefusal(
      await call('DELETE', '/devices/Dev-01/modules/m1', { headers: { 'if-match': `"${etag}"` } }),
      412,
      'PreconditionFailed',
    );
    expectRefusal(await call('DELETE', '/devices/Dev-01/modules/m1'), 412, 'PreconditionFailed');
    expectRefusal(await put('m2', { headers: ANY }), 404, 'ModuleNotFound');
    expectRefusal(await put('m1', { headers: { 'if-match': '"a", "b"' } }), 400, 'ArgumentInvalid');
    expect((await put('m1', { headers: { 'if-match': '"*"' } })).status).toBe(200);
  });

  test('bodies and ids are checked', async () => {
    expectRefusal(
      await put('m1', { body: JSON.stringify({ moduleId: 'm2', deviceId: 'Dev-01' }) }),
      400,
      'ArgumentInvalid',
    );
    expectRefusal(await put('m1', { body: '{' }), 400, 'ArgumentInvalid');
    expectRefusal(await put('a b'), 400, 'ArgumentInvalid');
    const short = { symmetricKey: { primaryKey: 'AAAA', secondaryKey: KEY }, type: 'sas' };
    expectRefusal(await put('m1', { members: { authentication: short } }), 400, 'ArgumentInvalid');
    expect(hub.registry.listModules('Dev-01')).toEqual([]);
  });

  test('paths, methods and versions are checked before credentials', async () => {
    const nobody = { authorization: null };
    expectRefusal(await call('GET', '/devices/Dev-01', nobody), 404, 'NotFound');
    expectRefusal(await call('GET', '/devices/Dev-01/modules/a/b', nobody), 404, 'NotFound');
    expectRefusal(await call('POST', '/devices/Dev-01/modules', nobody), 405, 'MethodNotAllowed');
    expectRefusal(await call('GET', '/devices/Dev-01/modules?api-version=2011-01-01', nobody), 400, 'ArgumentInvalid');
    expectRefusal(await call('GET', '/devices/Dev-01/modules?x=1', nobody), 400, 'ArgumentInvalid');
  });

  test('an absolute target, as a proxy makes it, is the same', async () => {
    expect((await call('GET', `https://hub1.iot.test/devices/Dev-01/modules?${VERSION}`)).status).toBe(200);
  });

  test('the fifty-first module is refused; an edge device lists its system modules', async () => {
    hub.registry.upsertDevice({ deviceId: 'Dev-01', edge: true });
    for (let i = 0; i < 48; i += 1) hub.registry.createModule('Dev-01', `m${i}`);
    const { body } = await call('GET', '/devices/Dev-01/modules');
    expect(body.slice(0, 2).map((module: { moduleId: string }) => module.moduleId)).toEqual(['$edgeAgent', '$edgeHub']);
    expectRefusal(await put('more'), 413, 'TooManyModulesOnDevice');
    expect((await put('$edgeAgent', { headers: ANY })).status).toBe(200);
  });
});

describe('CL-058 who is refused', () => {
  const get = (options: Call) => call('GET', '/devices/Dev-01/modules', options);
  const lastReason = () => hub.journal.list().at(-1)?.reason;

  test.each<[string, () => string | null, RegExp]>([
    ['no token', () => null, /no token/],
    ['no SAS token', () => 'Bearer x', /malformed/],
    [
      'one changed character of the signature',
      () => token().replace(/sig=(.)/, (_, c) => `sig=${c === 'A' ? 'B' : 'A'}`),
      /signature/,
    ],
    ['an expired token', () => token(undefined, KEY, { se: seconds() }), /expired/],
    ['a token of device B', () => token('devices/dev-b', B_KEY), /is for/],
    ['a token for this device signed with the key of B', () => token(undefined, B_KEY), /signature/],
    ['a token for the whole hub', () => testToken({ resource: hub.hostName, key: KEY, se: seconds() + 30 }), /is for/],
    ['a token for all modules', () => token('devices/dev-01/modules'), /is for/],
    ['a token for a prefix of the id', () => token('devices/dev-0'), /is for/],
    ['a token of a policy', () => token(undefined, KEY, { skn: 'iothubowner' }), /policy/],
    ['a token for another hub', () => token(undefined, KEY, { host: 'other.iot.test' }), /is for/],
    ['a token for the hub with its default port', () => token(undefined, KEY, { host: 'hub1.iot.test:443' }), /is for/],
  ])('%s', async (_, authorization, why) => {
    expectRefusal(await get({ authorization: authorization() }), 401, 'IotHubUnauthorizedAccess');
    expect(lastReason()).toMatch(why);
  });

  test('a module token on the management path', async () => {
    const { authentication } = hub.registry.createModule('Dev-01', 'm1');
    if (authentication.type !== 'sas') throw new Error('not sas');
    const authorization = token('devices/dev-01/modules/m1', authentication.primaryKey);
    expectRefusal(await get({ authorization }), 401, 'IotHubUnauthorizedAccess');
    expectRefusal(await call('GET', '/devices/Dev-01/modules/m1', { authorization }), 401, 'IotHubUnauthorizedAccess');
  });

  test('a device that is not there, or has no credential', async () => {
    const answer = await call('GET', '/devices/nobody/modules', { authorization: token('devices/nobody') });
    expectRefusal(answer, 401, 'IotHubUnauthorizedAccess');
    hub.registry.upsertDevice({ deviceId: 'Dev-01', authentication: { type: 'none' } });
    expectRefusal(await get({}), 401, 'IotHubUnauthorizedAccess');
  });

  test('a disabled device: 403, and only to itself', async () => {
    hub.registry.upsertDevice({ deviceId: 'Dev-01', status: 'disabled' });
    expectRefusal(await get({}), 403, 'DeviceDisabled');
    expectRefusal(await get({ authorization: token('devices/dev-b', B_KEY) }), 401, 'IotHubUnauthorizedAccess');
  });

  test('the secondary key, an alias of the hub, and encoded resources are taken', async () => {
    expect((await get({ authorization: token(undefined, SECONDARY) })).status).toBe(200);
    expect((await get({ authorization: token(undefined, KEY, { host: 'HUB1.iot.test' }) })).status).toBe(200);
    const resource = encodeURIComponent(`${hub.hostName}/devices/Dev-01`);
    expect((await get({ authorization: testToken({ resource, key: KEY, se: seconds() + 30 }) })).status).toBe(200);
    expect(hub.journal.list().map((entry) => entry.principal)).toEqual([
      'device Dev-01 (sas, secondary key)',
      'device Dev-01 (sas, primary key)',
      'device Dev-01 (sas, primary key)',
    ]);
  });
});

describe('X.509 devices', () => {
  const client = (commonName: string, issuer = root, changes = {}) =>
    issueTestCertificate({ commonName, role: 'client', issuer, ...changes });
  const get = (deviceId: string, credential?: TestCredential) =>
    call('GET', `/devices/${deviceId}/modules`, {
      authorization: null,
      ...(credential ? { cert: credential.chain.map(String).join(''), key: credential.keyPem } : {}),
    });

  test.each(['fingerprint', 'fingerprint256'] as const)(
    'the enrolled %s is taken, another certificate is not',
    async (kind) => {
      const enrolled = client('any name');
      const primaryThumbprint = enrolled.chain[0]![kind];
      hub.registry.upsertDevice({ deviceId: 'Dev-X', authentication: { type: 'selfSigned', primaryThumbprint } });
      expect((await get('Dev-X', enrolled)).status).toBe(200);
      expectRefusal(await get('Dev-X', client('any name')), 401, 'IotHubUnauthorizedAccess');
      expectRefusal(await get('Dev-X'), 401, 'IotHubUnauthorizedAccess');
      clock.turn(200 * 24 * 3600 * 1000);
      const late = await get('Dev-X', enrolled);
      clock.turn(-200 * 24 * 3600 * 1000);
      expectRefusal(late, 401, 'IotHubUnauthorizedAccess');
    },
  );

  test('a chain to the registered authority is taken, with the device id as common name', async () => {
    const issuing = issueTestCertificate({ commonName: 'TEST issuing', role: 'authority', issuer: root });
    const stranger = issueTestCertificate({ commonName: 'TEST device root', role: 'authority' });
    hub.registry.upsertDevice({
      deviceId: 'Dev-X',
      authentication: { type: 'certificateAuthority', caPem: [root.pem] },
    });
    expect((await get('Dev-X', client('Dev-X'))).status).toBe(200);
    expect((await get('Dev-X', client('Dev-X', issuing))).status).toBe(200);
    expect(hub.journal.list().at(-1)?.principal).toMatch(/^device Dev-X \(x509, certificate of CN=TEST device root/);
    for (const wrong of [
      client('Dev-Y'),
      client('dev-x'),
      client('Dev-X', stranger),
      client('Dev-X', root, { toDay: -1 }),
    ]) {
      expectRefusal(await get('Dev-X', wrong), 401, 'IotHubUnauthorizedAccess');
    }
  });

  test('an authority of the hub vouches for a device that is not there: 404', async () => {
    const own = await createHubSimulator({ pki, clock });
    const credential = client('gone');
    const url = own.url;
    const tls = { url, authorization: null, cert: credential.chain.map(String).join(''), key: credential.keyPem };
    try {
      expectRefusal(await call('GET', '/devices/gone/modules', tls), 401, 'IotHubUnauthorizedAccess');
      own.registry.trustAuthority(root.pem);
      expectRefusal(await call('GET', '/devices/gone/modules', tls), 404, 'DeviceNotFound');
      expectRefusal(await call('GET', '/devices/other/modules', tls), 401, 'IotHubUnauthorizedAccess');
    } finally {
      await own.close();
    }
  });
});

describe('messages', () => {
  const path = '/devices/Dev-01/modules/m1/messages/events?api-version=2020-03-13';
  const keyOf = (moduleId: string) => {
    const authentication = hub.registry.getModule('Dev-01', moduleId)?.authentication;
    if (authentication?.type !== 'sas') throw new Error('not sas');
    return authentication.primaryKey;
  };

  test('CL-060 a module token is taken, and not any more once the module was made again', async () => {
    await put('m1');
    const key = keyOf('m1');
    const send = (authorization: string) =>
      call('POST', path, { authorization, body: 'hello', headers: { 'iothub-app-level': 'high' } });
    expect((await send(token('devices/dev-01/modules/m1', key))).status).toBe(204);
    expect(hub.messages.list({ deviceId: 'Dev-01', moduleId: 'm1' })).toEqual([
      {
        deviceId: 'Dev-01',
        moduleId: 'm1',
        body: Buffer.from('hello'),
        properties: { level: 'high' },
        systemProperties: {},
        enqueuedAt: clock.now(),
      },
    ]);
    await call('DELETE', '/devices/Dev-01/modules/m1', { headers: ANY });
    expectRefusal(await send(token('devices/dev-01/modules/m1', key)), 401, 'IotHubUnauthorizedAccess');
    await put('m1');
    expectRefusal(await send(token('devices/dev-01/modules/m1', key)), 401, 'IotHubUnauthorizedAccess');
    expect((await send(token('devices/dev-01/modules/m1', keyOf('m1')))).status).toBe(204);
  });

  test('only the module itself speaks for the module, only the device for the device', async () => {
    await put('m1');
    await put('m2');
    for (const authorization of [token(), token('devices/dev-01/modules/m2', keyOf('m2'))]) {
      expectRefusal(await call('POST', path, { authorization, body: 'x' }), 401, 'IotHubUnauthorizedAccess');
    }
    const ofDevice = '/devices/Dev-01/messages/events?api-version=2020-03-13';
    const asModule = { authorization: token('devices/dev-01/modules/m1', keyOf('m1')), body: 'x' };
    expectRefusal(await call('POST', ofDevice, asModule), 401, 'IotHubUnauthorizedAccess');
    expect((await call('POST', ofDevice, { body: 'x' })).status).toBe(204);
    expect(hub.messages.list()).toMatchObject([{ deviceId: 'Dev-01' }]);
    expectRefusal(await call('POST', ofDevice, { body: Buffer.alloc(256 * 1024 + 1) }), 413, 'MessageTooLarge');
  });

  test('a disabled device silences its modules', async () => {
    await put('m1');
    hub.registry.upsertDevice({ deviceId: 'Dev-01', status: 'disabled' });
    const authorization = token('devices/dev-01/modules/m1', keyOf('m1'));
    expectRefusal(await call('POST', path, { authorization, body: 'x' }), 403, 'DeviceDisabled');
  });
});

test('the gateway has the same registry, takes tokens for the hub, and words refusals as an Edge hub', async () => {
  const { gateway } = hub;
  if (!gateway) throw new Error('no gateway');
  await put('m1');
  const answer = await call('GET', '/devices/Dev-01/modules', { url: gateway.url });
  expect(answer.body).toMatchObject([{ moduleId: 'm1' }]);
  const refusal = await call('GET', '/devices/Dev-01/modules', { url: gateway.url, authorization: null });
  expect([refusal.status, refusal.body]).toEqual([401, { errorMessage: 'Unauthorized' }]);

  const body = JSON.stringify({ errorMessage: 'x', networkError: true });
  gateway.faults.add({ fault: { kind: 'status', status: 503, body }, times: 1 });
  const fault = await call('GET', '/devices/Dev-01/modules', { url: gateway.url });
  expect([fault.status, fault.body]).toEqual([503, { errorMessage: 'x', networkError: true }]);
  expect(hub.journal.list().at(-1)).toMatchObject({ service: 'gateway', fault: 'status', status: 503 });
});

test('with a state folder, devices, modules and generations outlive the hub', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'hub-'));
  try {
    const first = await createHubSimulator({ pki, stateDir });
    first.registry.upsertDevice({ deviceId: 'Dev-01', edge: true });
    const module = first.registry.createModule('Dev-01', 'm1');
    const devices = first.registry.listDevices();
    await first.close();

    const second = await createHubSimulator({ pki, stateDir });
    expect(second.registry.listDevices()).toEqual(devices);
    expect(second.registry.getModule('Dev-01', 'm1')).toEqual(module);
    expect(second.registry.listModules('Dev-01')).toHaveLength(3);
    const later = second.registry.createModule('Dev-01', 'm2');
    expect(BigInt(later.generationId)).toBeGreaterThan(BigInt(module.generationId));
    await second.close();
  } finally {
    await rm(stateDir, { recursive: true });
  }
});
