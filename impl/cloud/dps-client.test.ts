import { describe, expect, it } from 'vitest';
import { CloudError, type DpsTpm, type Registration, registerDevice } from './index.ts';
import { createFakeCloud, type FakeAnswer, signAsDevice } from './testing/fake-cloud.ts';

const PENDING = { status: 202, body: { operationId: 'op.1', status: 'assigning' } };
const ASSIGNED = {
  status: 200,
  body: { operationId: 'op.1', status: 'assigned', registrationState: { assignedHub: 'hub:8443', deviceId: 'Dev-A' } },
};
const BASE = 'https://dps.iot.test/0neScope/registrations/Reg-01';

async function register(answers: FakeAnswer[], over: Partial<Registration> = {}) {
  const cloud = createFakeCloud();
  cloud.answer(...answers);
  const work = registerDevice(cloud.context, {
    endpoint: new URL('https://dps.iot.test/some/path?x=1'),
    scopeId: '0neScope',
    registrationId: 'Reg-01',
    credential: { kind: 'token', sign: signAsDevice },
    ...over,
  });
  const [result, error] = await work.then(
    (value) => [value, undefined] as const,
    (thrown: unknown) => [undefined, thrown as CloudError] as const,
  );
  return { cloud, result, error };
}

describe('registration', () => {
  it('CL-012, CL-017, CL-018: one PUT, polls, and what DPS assigned', async () => {
    const { cloud, result } = await register([PENDING, ASSIGNED]);
    expect(result).toEqual({ hubName: 'hub:8443', deviceId: 'Dev-A' });
    expect(cloud.seen.map((request) => request.line)).toEqual([
      `PUT ${BASE}/register?api-version=2021-06-01`,
      `GET ${BASE}/operations/op.1?api-version=2021-06-01`,
    ]);
    expect(cloud.seen[0]!.body).toBe('{"registrationId":"Reg-01"}');
    expect(cloud.seen[0]!.headers[1]![1]).toMatch(
      /sr=0nescope\/registrations\/reg-01&sig=[^&]+&se=\d+&skn=registration$/,
    );
    expect(cloud.seen[1]!.totalTimeoutMs).toBe(30_000);
  });

  it('CL-013: sends the payload as it is given', async () => {
    const { cloud } = await register([PENDING, ASSIGNED], { payload: '{"big":12345678901234567890}' });
    expect(cloud.seen[0]!.body).toBe('{"registrationId":"Reg-01","payload":{"big":12345678901234567890}}');
  });

  it('CL-014, CL-015, CL-016: polls every 5 s, or as Retry-After says', async () => {
    const hurry = { ...PENDING, headers: { 'retry-after': '3' } };
    const { cloud, result } = await register([PENDING, PENDING, hurry, { ...ASSIGNED, status: 202 }]);
    expect(cloud.seen.map((request) => request.at)).toEqual([0, 5, 10, 13]);
    expect(result?.deviceId).toBe('Dev-A');
  });

  it('CL-019: takes a 200 that carries the state', async () => {
    const { cloud, result } = await register([ASSIGNED]);
    expect(result?.deviceId).toBe('Dev-A');
    expect(cloud.seen).toHaveLength(1);
  });

  it.each([
    [{ status: 401, body: { errorCode: 401002, message: 'Unauthorized' } }, 'Unauthorized', 'auth'],
    [{ status: 404 }, 'HTTP error 404 Not Found', 'not-found'],
    [
      { status: 400, body: 'x', headers: { 'content-type': 'text/html' } },
      'invalid Content-Type; expected JSON',
      'refused',
    ],
    [{ status: 302 }, 'Expected one of [202], got 302 Found', 'invalid-data'],
    [{ status: 202, body: '{' }, 'the answer is not valid JSON', 'invalid-data'],
    [{ status: 400, body: { code: 400004, errorMessage: 'aliased text' } }, 'aliased text', 'refused'],
  ] as const)('CL-020, CL-021, CL-022, CL-054: %j ends it at once', async (answer, message, failure) => {
    const { cloud, error } = await register([answer]);
    expect([error?.message, error?.failure]).toEqual([message, failure]);
    expect(cloud.seen).toHaveLength(1);
  });

  it('treats 503 and 500 of DPS as transient, with bounded retries', async () => {
    const { cloud, error } = await register([{ status: 500 }, { status: 503 }, { status: 503 }]);
    expect(error?.failure).toBe('transient');
    expect(cloud.seen.map((request) => request.at)).toEqual([0, 3, 6]);
  });

  it('refuses an endpoint without TLS', async () => {
    const { cloud, error } = await register([], { endpoint: new URL('http://dps.iot.test/') });
    expect(error?.message).toContain('must be an https address');
    expect(cloud.seen).toEqual([]);
  });
});

describe('polling', () => {
  const state = (status: string, registrationState?: object) => ({
    status: 200,
    body: { operationId: 'op.1', status, registrationState },
  });

  it.each([
    [state('failed', { errorCode: 400208, errorMessage: 'allocation refused' }), 'allocation refused'],
    [state('disabled'), 'disabled in DPS'],
    [state('assigned', { deviceId: 'd' }), 'missing field `assignedHub`'],
    [state('exploded'), 'unknown status "exploded"'],
    [{ status: 404, body: { message: 'Operation not found' } }, 'Operation not found'],
  ])('CL-023, CL-024, CL-028: %j is final', async (answer, message) => {
    const { cloud, error } = await register([PENDING, answer]);
    expect(error?.message).toContain(message);
    expect(cloud.seen).toHaveLength(2);
  });

  it('CL-024, CL-025, CL-027: unassigned, a missing state, an outage and a throttled poll mean to go on', async () => {
    const { cloud, result } = await register([
      PENDING,
      state('unassigned'),
      state('assigning'),
      { fails: 'closed' },
      { status: 503 },
      { status: 429 },
      ASSIGNED,
    ]);
    expect(result?.deviceId).toBe('Dev-A');
    expect(cloud.seen).toHaveLength(7);
  });

  it('CL-026: ends after ten minutes, with fresh tokens all the way', async () => {
    const { cloud, error } = await register(Array(130).fill(PENDING));
    expect(error).toBeInstanceOf(CloudError);
    expect(error?.message).toContain('did not assign the device in time');
    expect(cloud.seen.at(-1)!.at).toBe(600);
    const last = cloud.seen.at(-1)!.headers[0]![1];
    expect(last).toMatch(/&se=1767226500&skn=registration$/);
  });
});

describe('TPM attestation', () => {
  const imported: string[] = [];
  const tpm: DpsTpm = {
    keys: async () => ({ endorsementKey: Buffer.from('EK'), storageRootKey: Buffer.from('SRK') }),
    importKey: async (wrapped) => void imported.push(Buffer.from(wrapped).toString()),
  };
  const nonce = {
    status: 401,
    body: { message: 'Authorization required.', authenticationKey: Buffer.from('nonce').toString('base64') },
  };

  it('CL-029: shows the keys without a token, imports the nonce, and imports the assigned key', async () => {
    imported.length = 0;
    const withKey = {
      status: 200,
      body: {
        status: 'assigned',
        registrationState: { assignedHub: 'h', deviceId: 'd', tpm: { authenticationKey: 'aHVi' } },
      },
    };
    const { cloud, result } = await register([nonce, PENDING, withKey], { tpm });
    expect(result).toEqual({ hubName: 'h', deviceId: 'd' });
    expect(cloud.seen[0]!.headers.map(([name]) => name)).toEqual(['content-type', 'host', 'content-length']);
    expect(cloud.seen[0]!.body).toBe(
      '{"registrationId":"Reg-01","tpm":{"endorsementKey":"RUs=","storageRootKey":"U1JL"}}',
    );
    expect(cloud.seen[1]!.headers[1]![0]).toBe('authorization');
    expect(imported).toEqual(['nonce', 'hub']);
  });

  it('CL-030: another status or a key that is not base64 is an error, and nothing is imported', async () => {
    imported.length = 0;
    expect((await register([{ status: 202, body: {} }], { tpm })).error?.message).toBe(
      'Expected one of [401], got 202 Accepted',
    );
    expect((await register([{ status: 401, body: { authenticationKey: '***' } }], { tpm })).error?.message).toContain(
      'not base64',
    );
    expect((await register([{ status: 401, body: { message: 'Unauthorized' } }], { tpm })).error?.message).toContain(
      'missing field `authenticationKey`',
    );
    expect(imported).toEqual([]);
  });

  it('an authentication key for another kind of device is not imported', async () => {
    imported.length = 0;
    const odd = {
      status: 200,
      body: {
        status: 'assigned',
        registrationState: { assignedHub: 'h', deviceId: 'd', tpm: { authenticationKey: '***' } },
      },
    };
    expect((await register([PENDING, odd])).result?.deviceId).toBe('d');
  });
});
