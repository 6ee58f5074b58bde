import assert from 'node:assert/strict';
import { createTestPki, ManualClock } from '../common/index.ts';
import {
  issueTestCertificate,
  sendTestRequest,
  type TestAnswer,
  type TestCredential,
  type TestRequest,
  testToken,
} from '../credentials/index.ts';
import { createDpsSimulator, type DpsOptions, type DpsSimulator, type HubAssignment, type HubLink } from './index.ts';

export const VERSION = 'api-version=2021-06-01';
export const SCOPE = '0ne00Test01';
export const KEY = Buffer.alloc(32, 4).toString('base64');
export const SECONDARY = Buffer.alloc(32, 5).toString('base64');
export const B_KEY = Buffer.alloc(32, 6).toString('base64');
export const GROUP_KEY = Buffer.alloc(32, 3).toString('base64');
export const keys = (primaryKey: string, secondaryKey = primaryKey) =>
  ({ type: 'symmetricKey', primaryKey, secondaryKey }) as const;

export const clock = new ManualClock(Date.now());
export const pki = await createTestPki();
export const root = issueTestCertificate({ commonName: 'TEST device root', role: 'authority' });
const open: DpsSimulator[] = [];

/** Closes what `start` has opened since the last call. */
export async function closeAll(): Promise<void> {
  await Promise.all(open.splice(0).map((dps) => dps.close()));
}

export interface RecordingHub extends HubLink {
  devices: Map<string, HubAssignment>;
}

export function recordingHub(hostName: string): RecordingHub {
  const devices = new Map<string, HubAssignment>();
  return {
    hostName,
    devices,
    assign: async (assignment) => void devices.set(assignment.deviceId, assignment),
    remove: async (deviceId) => void devices.delete(deviceId),
  };
}

export async function start(options: Partial<DpsOptions> = {}) {
  const hub1 = recordingHub('hub1.iot.test');
  const hub2 = recordingHub('hub2.iot.test:8443');
  const dps = await createDpsSimulator({ pki, clock, scopeId: SCOPE, hubs: [hub1, hub2], ...options });
  open.push(dps);
  return { dps, hub1, hub2 };
}

export const seconds = () => Math.floor(clock.now() / 1000);
export const token = (id: string, key: string, changes: { se?: number; skn?: string; scope?: string } = {}) =>
  testToken({
    resource: `${changes.scope ?? SCOPE}/registrations/${id}`.toLowerCase(),
    key,
    se: seconds() + 30,
    skn: 'registration',
    ...changes,
  });
export const withoutPolicy = (id: string, key: string) =>
  testToken({ resource: `${SCOPE}/registrations/${id}`.toLowerCase(), key, se: seconds() + 30 });

type Call = Partial<Omit<TestRequest, 'headers'>> & { authorization?: string; headers?: Record<string, string> };

export function call(
  dps: DpsSimulator,
  method: string,
  target: string,
  { authorization, headers, ...rest }: Call = {},
): Promise<TestAnswer> {
  const all = { ...headers, ...(authorization === undefined ? {} : { authorization }) };
  return sendTestRequest({ method, url: dps.url, target, headers: all, ca: pki.root.certificatePem, ...rest });
}

export function register(
  dps: DpsSimulator,
  id: string,
  options: Call & { payload?: unknown } = {},
): Promise<TestAnswer> {
  const { payload, ...rest } = options;
  const body = JSON.stringify({ registrationId: id, payload });
  const headers = { 'content-type': 'application/json' };
  return call(dps, 'PUT', `/${SCOPE}/registrations/${id}/register?${VERSION}`, { body, headers, ...rest });
}

export const poll = (dps: DpsSimulator, id: string, operationId: string, options: Call = {}) =>
  call(dps, 'GET', `/${SCOPE}/registrations/${id}/operations/${operationId}?${VERSION}`, options);

/** Registers and polls to the end; gives the last body. */
export async function provision(dps: DpsSimulator, id: string, options: Call & { payload?: unknown } = {}) {
  const accepted = await register(dps, id, options);
  assert.equal(accepted.status, 202);
  for (let i = 0; i < 10; i += 1) {
    const { payload: _, ...rest } = options;
    const answer = await poll(dps, id, accepted.body.operationId, rest);
    if (answer.status === 200) return answer.body;
  }
  throw new Error('no end');
}

export const shown = (credential: TestCredential) => ({
  cert: credential.chain.map(String).join(''),
  key: credential.keyPem,
});
export const client = (commonName: string, changes: Partial<Parameters<typeof issueTestCertificate>[0]> = {}) =>
  issueTestCertificate({ commonName, role: 'client', issuer: root, ...changes });

/** Asserts that an answer is a refusal in the shape of the service (spec cloud.md 7). */
export function assertRefusal(answer: TestAnswer, status: number, errorCode: number) {
  assert.equal(answer.status, status);
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
  assert.ok(answer.headers['x-ms-request-id']);
  assert.deepEqual(Object.keys(answer.body), ['errorCode', 'trackingId', 'message', 'timestampUtc']);
  assert.equal(answer.body.errorCode, errorCode);
  assert.match(answer.body.trackingId, /^[0-9a-f-]{36}$/);
  assert.match(answer.body.message, /./);
  assert.match(answer.body.timestampUtc, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z$/);
}
export const reason = (dps: DpsSimulator) => dps.journal.list().at(-1)?.reason;
