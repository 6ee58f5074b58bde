import { describe, expect, it } from 'vitest';
import { type CloudError, createHubClient, registerDevice } from './index.ts';
import { createFakeCloud, type FakeAnswer, signAsDevice } from './testing/fake-cloud.ts';

const LOST: FakeAnswer = { fails: 'closed' };
const MISSING = { status: 404, body: { Message: 'ErrorCode:ModuleNotFound;' } };
const EXISTS = { status: 409, body: { Message: 'ErrorCode:ModuleAlreadyExistsOnDevice;' } };

function hubWith(...answers: FakeAnswer[]) {
  const cloud = createFakeCloud();
  cloud.answer(...answers);
  return createHubClient(cloud.context, {
    hubName: 'hub1.iot.test',
    gatewayHost: 'hub1.iot.test',
    deviceId: 'Dev-01',
    credential: { kind: 'token', sign: signAsDevice },
  });
}

const failure = (work: Promise<unknown>): Promise<CloudError> =>
  work.then(
    () => Promise.reject(new Error('no failure')),
    (error: CloudError) => error,
  );

describe('an answer that was lost on the way', () => {
  it('a module that a lost deletion removed is gone, which is what was asked for', async () => {
    await hubWith(LOST, MISSING).delete('m1');
    expect((await failure(hubWith(MISSING).delete('m1'))).failure).toBe('not-found');
  });

  it('a device that is missing, and a 404 that is not about the module, are still errors', async () => {
    for (const Message of ['ErrorCode:DeviceNotFound;', 'no such page']) {
      const gone = { status: 404, body: { Message } };
      expect((await failure(hubWith(LOST, gone).delete('m1'))).failure).toBe('not-found');
    }
  });

  it('a conflict tells whether this call itself may have made the module', async () => {
    expect(await failure(hubWith(LOST, EXISTS).create('m1'))).toMatchObject({
      failure: 'conflict',
      afterUnanswered: true,
    });
    expect(await failure(hubWith(EXISTS).create('m1'))).toMatchObject({ failure: 'conflict', afterUnanswered: false });
    const throttled = { status: 429, headers: { 'retry-after': '1' } };
    expect(await failure(hubWith(throttled, EXISTS).create('m1'))).toMatchObject({ afterUnanswered: false });
  });
});

describe('Retry-After reaches whoever decides when to try again', () => {
  it('CL-049: of a throttled, an unavailable and a refused operation', async () => {
    const headers = { 'retry-after': '3600' };
    for (const status of [429, 503, 403]) {
      expect((await failure(hubWith({ status, headers }).list())).retryAfterMs).toBe(3_600_000);
    }
    expect((await failure(hubWith({ status: 403 }).list())).retryAfterMs).toBeUndefined();
  });

  it('CL-026: and of a registration that DPS wants to be asked about after the deadline', async () => {
    const cloud = createFakeCloud();
    cloud.answer({ status: 202, body: { operationId: 'op' }, headers: { 'retry-after': '900' } });
    const error = await failure(
      registerDevice(cloud.context, {
        endpoint: new URL('https://dps.iot.test'),
        scopeId: 's',
        registrationId: 'r',
        credential: { kind: 'token', sign: signAsDevice },
      }),
    );
    expect(error).toMatchObject({ failure: 'transient', retryAfterMs: 900_000 });
    expect(cloud.seen).toHaveLength(1);
  });
});
