import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { HubLink } from './index.ts';
import {
  assertRefusal,
  B_KEY,
  call,
  clock,
  closeAll,
  KEY,
  keys,
  poll,
  provision,
  recordingHub,
  register,
  root,
  SCOPE,
  start,
  token,
  VERSION,
} from './testing.ts';

afterEach(closeAll);

describe('requests', () => {
  test('path, method, version, scope and body are checked before the credential', async () => {
    const { dps } = await start();
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    const json = { 'content-type': 'application/json' };
    const path = `/${SCOPE}/registrations/Reg-01/register`;
    assertRefusal(await call(dps, 'GET', `/${SCOPE}/registrations/Reg-01?${VERSION}`), 404, 404000);
    assertRefusal(await call(dps, 'GET', `${path}?${VERSION}`), 405, 405000);
    assertRefusal(await call(dps, 'PUT', path), 400, 400004);
    assertRefusal(await call(dps, 'PUT', `${path}?api-version=2011-01-01`), 400, 400004);
    assertRefusal(await call(dps, 'PUT', `/other/registrations/Reg-01/register?${VERSION}`), 404, 404002);
    assertRefusal(await call(dps, 'PUT', `${path}?${VERSION}`, { body: '{}' }), 415, 415000);
    assertRefusal(await call(dps, 'PUT', `${path}?${VERSION}`, { headers: json, body: '{' }), 400, 400004);
    assertRefusal(
      await call(dps, 'PUT', `${path}?${VERSION}`, { headers: json, body: '{"registrationId":"x"}' }),
      400,
      400004,
    );
  });

  test('nothing enrolled: 404, or 401 where the service shall not tell', async () => {
    const plain = await start();
    assertRefusal(await register(plain.dps, 'Reg-01', { authorization: token('Reg-01', KEY) }), 404, 404201);
    const silent = await start({ unknownAnswer: 'unauthorized' });
    assertRefusal(await register(silent.dps, 'Reg-01', { authorization: token('Reg-01', KEY) }), 401, 401002);
  });

  test('an absolute target, as a proxy makes it, is the same', async () => {
    const { dps } = await start();
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    const target = `https://dps.iot.test/${SCOPE}/registrations/Reg-01/register?${VERSION}`;
    const headers = { 'content-type': 'application/json' };
    const answer = await call(dps, 'PUT', target, {
      headers,
      body: '{"registrationId":"reg-01"}',
      authorization: token('Reg-01', KEY),
    });
    expect(answer.status).toBe(202);
  });

  test('a fault takes the place of the answer, once', async () => {
    const { dps } = await start();
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    dps.faults.add({
      fault: { kind: 'status', status: 429, headers: { 'Retry-After': '1' } },
      where: '/register',
      times: 1,
    });
    const authorization = token('Reg-01', KEY);
    expect((await register(dps, 'Reg-01', { authorization })).status).toBe(429);
    expect((await register(dps, 'Reg-01', { authorization })).status).toBe(202);
  });
});

describe('how a registration ends', () => {
  test('disabled, as a status or as 401', async () => {
    const asStatus = await start();
    asStatus.dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    asStatus.dps.enrollments.setEnabled('reg-01', false);
    const authorization = token('Reg-01', KEY);
    expect(await provision(asStatus.dps, 'Reg-01', { authorization })).toMatchObject({
      status: 'disabled',
      registrationState: { registrationId: 'Reg-01', status: 'disabled' },
    });
    const refusing = await start({ disabledAnswer: 'unauthorized' });
    refusing.dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY), enabled: false });
    assertRefusal(await register(refusing.dps, 'Reg-01', { authorization }), 401, 401002);
  });

  test('a fixed answer is given word for word', async () => {
    const { dps } = await start({ assigningPolls: 0 });
    const fixedAnswer = {
      operationId: 'o',
      status: 'assigned',
      registrationState: { registrationId: 'Reg-01', deviceId: 'd' },
    };
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY), fixedAnswer });
    expect(await provision(dps, 'Reg-01', { authorization: token('Reg-01', KEY) })).toEqual(fixedAnswer);
  });

  test('custom allocation chooses the hub and gives a payload back; others use the hook', async () => {
    const { dps } = await start({
      allocate: ({ payload }) => ({ hubHostName: 'hub2.iot.test:8443', payload: { returned: payload } }),
      returnPayload: ({ payload }) => (payload === undefined ? undefined : { echo: payload }),
    });
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY), allocation: 'custom' });
    dps.enrollments.addIndividual({ registrationId: 'Reg-B', attestation: keys(B_KEY) });
    const custom = await provision(dps, 'Reg-01', { authorization: token('Reg-01', KEY), payload: { a: [1] } });
    expect(custom.registrationState).toMatchObject({
      assignedHub: 'hub2.iot.test:8443',
      payload: { returned: { a: [1] } },
    });
    const hashed = await provision(dps, 'Reg-B', { authorization: token('Reg-B', B_KEY), payload: 7 });
    expect(hashed.registrationState.payload).toEqual({ echo: 7 });
    const bare = await provision(dps, 'Reg-B', { authorization: token('Reg-B', B_KEY) });
    expect(bare.registrationState).not.toHaveProperty('payload');
  });

  test('a hub that refuses makes the registration fail, with its words', async () => {
    const hub = {
      ...recordingHub('hub1.iot.test'),
      assign: () => Promise.reject(new Error('ErrorCode:IotHubUnauthorizedAccess;Unauthorized')),
    };
    const { dps } = await start({ hubs: [hub] });
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    expect((await provision(dps, 'Reg-01', { authorization: token('Reg-01', KEY) })).registrationState).toMatchObject({
      status: 'failed',
      errorCode: 500000,
      errorMessage: 'ErrorCode:IotHubUnauthorizedAccess;Unauthorized',
    });
    expect(dps.registrations.list()).toEqual([]);
  });

  test('the same hub keeps the device, another one gets it and the old one loses it', async () => {
    const { dps, hub1, hub2 } = await start();
    const enrol = (hub: string) =>
      dps.enrollments.addIndividual({
        registrationId: 'Reg-01',
        attestation: keys(KEY),
        allocation: 'static',
        hubs: [hub],
      });
    const state = async () =>
      (await provision(dps, 'Reg-01', { authorization: token('Reg-01', KEY) })).registrationState;
    enrol('hub1.iot.test');
    expect((await state()).substatus).toBe('initialAssignment');
    clock.turn(5000);
    const again = await state();
    expect(again.substatus).toBe('initialAssignment');
    expect(again.lastUpdatedDateTimeUtc > again.createdDateTimeUtc).toBe(true);
    expect([...hub1.devices.keys()]).toEqual(['Reg-01']);
    enrol('hub2.iot.test:8443');
    expect((await state()).substatus).toBe('deviceDataMigrated');
    expect([hub1.devices.size, hub2.devices.size]).toEqual([0, 1]);
  });

  test('two registrations at once are made one after the other', async () => {
    const seen: string[] = [];
    const hub: HubLink = {
      hostName: 'hub1.iot.test',
      assign: async () => {
        seen.push('begin');
        await new Promise((resolve) => setImmediate(resolve));
        seen.push('end');
      },
      remove: async () => {},
    };
    const { dps } = await start({ hubs: [hub] });
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    const authorization = token('Reg-01', KEY);
    const answers = await Promise.all([1, 2, 3].map(() => register(dps, 'Reg-01', { authorization })));
    expect(new Set(answers.map((answer) => answer.body.operationId)).size).toBe(3);
    expect(seen).toEqual(['begin', 'end', 'begin', 'end', 'begin', 'end']);
  });
});

test('with a state folder, enrolments, registrations and operations outlive the service', async () => {
  const stateDir = await mkdtemp(join(tmpdir(), 'dps-'));
  try {
    const { dps } = await start({ stateDir });
    dps.enrollments.addIndividual({ registrationId: 'Reg-01', attestation: keys(KEY) });
    dps.enrollments.addGroup({ groupId: 'g', attestation: { type: 'x509', caPem: [root.pem] } });
    const authorization = token('Reg-01', KEY);
    const { operationId } = (await register(dps, 'Reg-01', { authorization })).body;
    const before = { enrollments: dps.enrollments.list(), registrations: dps.registrations.list() };
    await closeAll();

    const { dps: again } = await start({ stateDir });
    expect(again.enrollments.list()).toEqual(expect.arrayContaining(before.enrollments));
    expect(again.registrations.list()).toEqual(before.registrations);
    expect((await poll(again, 'Reg-01', operationId, { authorization })).status).toBe(202);
    expect((await poll(again, 'Reg-01', operationId, { authorization })).body.status).toBe('assigned');
  } finally {
    await closeAll();
    await rm(stateDir, { recursive: true });
  }
});

test.each([
  ['an id with a blank', { registrationId: 'a b', attestation: keys(KEY) }],
  ['a short key', { registrationId: 'a', attestation: keys('AAAA') }],
  ['no certificate', { registrationId: 'a', attestation: { type: 'x509', primaryPem: 'x' } as const }],
])('an enrolment with %s is refused', async (_, input) => {
  const { dps } = await start();
  expect(() => dps.enrollments.addIndividual(input)).toThrow(TypeError);
  expect(() => dps.enrollments.setEnabled('a', false)).toThrow(RangeError);
});
