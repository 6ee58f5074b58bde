import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createTestPki, ManualClock, type TestPki } from '../common/index.ts';
import {
  issueTestCertificate,
  sendTestRequest,
  type TestAnswer,
  type TestCredential,
  testToken,
} from '../credentials/index.ts';
import { createHubSimulator, type HubSimulator } from './index.ts';

/** Recorded requests of the reference client to a hub, sent again with credentials of our own. */

interface Recorded {
  id: string;
  method: string;
  target: string;
  body?: string;
  client?: string[];
  denied?: string;
  principal?: { lifetime?: number };
  sentHeaders: [string, string][];
  answer: { status: number; body: unknown };
}

interface Step {
  scenario: string;
  step: string;
  requests?: (Omit<Recorded, 'id'> & { fault?: object; tlsFailure?: string })[];
}

const golden = JSON.parse(readFileSync(new URL('../../fixtures/golden/cloud-wire.json', import.meta.url), 'utf8')) as {
  steps: Step[];
};
const requests: Recorded[] = golden.steps.flatMap(({ scenario, step, requests: all = [] }) =>
  all
    .filter((request) => !request.fault && !request.tlsFailure && !request.target.includes('/registrations/'))
    .map((request, index) => ({ ...request, id: `${scenario} ${step} ${index}` })),
);

const KEY = Buffer.alloc(32, 4).toString('base64');
const NAMES = ['hub1.iot.test', 'hub2.iot.test', 'hub1.iot.test:8443', '127.0.0.5'];
const clock = new ManualClock(Date.now());
const authorities = new Map<string, TestCredential>();
let pki: TestPki;
let hub: HubSimulator;

beforeAll(async () => {
  pki = await createTestPki();
  hub = await createHubSimulator({ pki, clock, hostName: 'hub1.iot.test', aliases: NAMES, idRule: 'any' });
});
afterAll(() => hub.close());

function authority(commonName: string): TestCredential {
  const known = authorities.get(commonName) ?? issueTestCertificate({ commonName, role: 'authority' });
  authorities.set(commonName, known);
  return known;
}

function certificateOf({ client = [], denied }: Recorded): { cert?: string; key?: string } {
  const [leaf, issuer] = client.map(nameIn);
  if (leaf === undefined || issuer === undefined) return {};
  const toDay = denied === 'certificate expired' ? -1 : 100;
  const credential = issueTestCertificate({ commonName: leaf, role: 'client', issuer: authority(issuer), toDay });
  return { cert: credential.pem, key: credential.keyPem };
}

/** The recorded headers, with a signature of our own over the recorded resource. */
function headersOf({ sentHeaders, denied, principal }: Recorded): Record<string, string> {
  const headers = Object.fromEntries(sentHeaders.filter(([name]) => name !== 'content-length'));
  const resource = /sr=([^&]*)/.exec(headers['authorization'] ?? '')?.[1];
  if (resource === undefined) return headers;
  const life = denied === 'expired' ? -1 : (principal?.lifetime ?? 30);
  const address = resource.replace('<cloud address>', '127.0.0.5');
  const se = Math.floor(clock.now() / 1000) + life;
  return {
    ...headers,
    host: (headers['host'] ?? '').replace('<cloud address>', '127.0.0.5'),
    authorization: testToken({ resource: address, key: KEY, se }),
  };
}

/** Brings the registry to where the recorded answer shows it to have been. */
function prepare(recorded: Recorded, path: string): void {
  const { method, sentHeaders, answer } = recorded;
  const [, , device = '', , module] = path.split('/').map((segment) => safeDecode(segment));
  if (recorded.denied?.startsWith('no such device')) {
    const isForThisHub = NAMES.some((name) => sentHeaders.some(([, value]) => value.includes(`sr=${name}/devices/`)));
    if (isForThisHub) hub.registry.removeDevice(device);
    return;
  }
  if (answer.status !== 401 || !hub.registry.getDevice(device)) registerDevice(recorded, device);
  const body = answer.body;
  if (Array.isArray(body)) setModules(device, body);
  if (!module) return;
  const creates = method === 'PUT' && !sentHeaders.some(([name]) => name === 'if-match');
  const shallExist = answer.status === 409 || ((answer.status === 200 || answer.status === 204) && !creates);
  const { managedBy } = (body ?? {}) as { managedBy?: string | null };
  if (hub.registry.getModule(device, module)) hub.registry.removeModule(device, module, { kind: 'any' });
  if (shallExist) hub.registry.createModule(device, module, managedBy === undefined ? {} : { managedBy });
}

function registerDevice({ client, answer }: Recorded, deviceId: string): void {
  const caPem = (client ?? []).slice(1).map((subject) => authority(nameIn(subject)).pem);
  hub.registry.upsertDevice({
    deviceId,
    status: answer.status === 403 ? 'disabled' : 'enabled',
    authentication:
      caPem.length > 0 ? { type: 'certificateAuthority', caPem } : { type: 'sas', primaryKey: KEY, secondaryKey: KEY },
  });
}

function nameIn(subject: string): string {
  return /CN=([^,]*)/.exec(subject)?.[1] ?? '';
}

function setModules(device: string, modules: { moduleId: string; managedBy?: string | null }[]): void {
  for (const { moduleId } of hub.registry.listModules(device))
    hub.registry.removeModule(device, moduleId, { kind: 'any' });
  for (const { moduleId, managedBy = null } of modules) hub.registry.createModule(device, moduleId, { managedBy });
}

function safeDecode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

async function replay(recorded: Recorded): Promise<TestAnswer> {
  const target = recorded.target.replace('<cloud address>', '127.0.0.5');
  const path = target.replace(/^https:\/\/[^/]*/, '').split('?')[0] ?? '';
  prepare(recorded, path);
  const { method, body } = recorded;
  const sent = { method, target, url: hub.url, headers: headersOf(recorded), ca: pki.root.certificatePem };
  return sendTestRequest({ ...sent, ...(body === undefined ? {} : { body }), ...certificateOf(recorded) });
}

/** What of a body must be the same: members and ids of modules, and of a refusal its code and text. */
function shapeOf(body: unknown): unknown {
  if (body === null || body === '') return null;
  if (Array.isArray(body)) return body.map(shapeOf);
  const { Message, moduleId, deviceId, managedBy, authentication, ...rest } = body as Record<string, unknown>;
  if (Message !== undefined) return { code: String(Message).split(';')[0], members: Object.keys(rest) };
  const { type, ...proof } = authentication as Record<string, unknown>;
  return { moduleId, deviceId, managedBy, type, proof: Object.keys(proof), members: Object.keys(rest) };
}

test('there is a recording to replay', () => {
  expect(requests.length).toBeGreaterThan(400);
});

const scenarios = [...new Set(requests.map(({ id }) => id.split(' ')[0] ?? ''))];

describe.each(scenarios)('CL-062 %s', (scenario) => {
  test('each request of the reference client gets the recorded answer', async () => {
    for (const recorded of requests.filter(({ id }) => id.startsWith(`${scenario} `))) {
      const answer = await replay(recorded);
      const seen = { id: recorded.id, status: answer.status, body: shapeOf(answer.body) };
      expect(seen).toEqual({ id: recorded.id, status: recorded.answer.status, body: shapeOf(recorded.answer.body) });
      if (answer.status >= 400)
        expect(`ErrorCode:${answer.headers['iothub-errorcode']}`).toBe(answer.body.Message.split(';')[0]);
    }
  });
});
