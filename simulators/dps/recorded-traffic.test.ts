import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import {
  issueTestCertificate,
  sendTestRequest,
  type TestAnswer,
  type TestCredential,
  testToken,
} from '../credentials/index.ts';
import { type DpsSimulator, deriveDeviceKey, type HubLink } from './index.ts';
import { clock, closeAll, GROUP_KEY, KEY, keys, pki, start } from './testing.ts';

/** Recorded registrations of the reference client, sent again with credentials of our own, a simulator for each step. */

interface Recorded {
  method: string;
  target: string;
  body?: string;
  client?: string[];
  denied?: string;
  fault?: object;
  principal?: { lifetime?: number };
  sentHeaders: [string, string][];
  answer?: { status: number; body: RecordedBody };
}

interface RecordedBody {
  operationId?: string;
  status?: string;
  registrationState?: { assignedHub?: string; deviceId?: string; payload?: unknown };
}

interface Step {
  scenario: string;
  step: string;
  requests?: Recorded[];
}

/** What the recorder scripted past its own rules, and what belongs to an attestation that is not here. */
const LEFT_OUT = ['poll-202-assigned'];
const SCRIPTED_OPERATION = 'o';

const golden = JSON.parse(readFileSync(new URL('../../fixtures/golden/cloud-wire.json', import.meta.url), 'utf8')) as {
  steps: Step[];
};
const steps = golden.steps
  .map(({ scenario, step, requests = [] }) => ({
    name: `${scenario} ${step}`,
    step,
    scenario,
    requests: requests.filter((request) => request.target?.includes('/registrations/') && !request.fault),
  }))
  .filter(({ scenario, step, requests }) => requests.length > 0 && scenario !== 'dps-tpm' && !LEFT_OUT.includes(step));

const authorities = new Map<string, TestCredential>();
const leaves = new Map<string, TestCredential>();

afterEach(closeAll);

function authority(commonName: string): TestCredential {
  const known = authorities.get(commonName) ?? issueTestCertificate({ commonName, role: 'authority' });
  authorities.set(commonName, known);
  return known;
}

function nameIn(subject = ''): string {
  return /CN=([^,]*)/.exec(subject)?.[1] ?? '';
}

/** One certificate for each subject, as the client keeps its own from request to request. */
function certificateOf({ client }: Recorded): { cert?: string; key?: string } {
  if (!client) return {};
  const known =
    leaves.get(client.join()) ??
    issueTestCertificate({ commonName: nameIn(client[0]), role: 'client', issuer: authority(nameIn(client[1])) });
  leaves.set(client.join(), known);
  return { cert: known.pem, key: known.keyPem };
}

const registrationOf = ({ target }: Recorded) => decodeURIComponent(/registrations\/([^/?]*)/.exec(target)?.[1] ?? '');

function headersOf(recorded: Recorded, scenario: string): Record<string, string> {
  const headers = Object.fromEntries(recorded.sentHeaders.filter(([name]) => name !== 'content-length'));
  const resource = /sr=([^&]*)/.exec(headers['authorization'] ?? '')?.[1];
  if (resource === undefined) return headers;
  const own = scenario === 'dps-group' ? deriveDeviceKey(GROUP_KEY, registrationOf(recorded)) : KEY;
  const life = recorded.denied === 'expired' ? -1 : (recorded.principal?.lifetime ?? 30);
  const se = Math.floor(clock.now() / 1000) + life;
  const key = recorded.denied === 'signature' ? GROUP_KEY : own;
  return { ...headers, authorization: testToken({ resource, key, se, skn: 'registration' }) };
}

/** A simulator whose enrolments and hubs are those that the recorded answers show. */
async function startFor(requests: readonly Recorded[], scenario: string): Promise<DpsSimulator> {
  const bodies = requests.filter(({ method }) => method === 'GET').map(({ answer }) => answer?.body);
  const end = bodies.find((body) => body?.status !== 'assigning' && body?.status !== undefined);
  const hostName = end?.registrationState?.assignedHub ?? 'hub1.iot.test';
  const hub: HubLink = { hostName, assign: async () => {}, remove: async () => {} };
  const { dps } = await start({
    hubs: [hub],
    assigningPolls: requests.filter(({ method, answer }) => method === 'GET' && answer?.status === 202).length,
    returnPayload: () => end?.registrationState?.payload,
  });
  const [first] = requests;
  if (!first || (first.answer?.status === 404 && first.method === 'PUT')) return dps;
  const scripted = bodies.find((body) => body?.operationId === SCRIPTED_OPERATION);
  const registrationId = registrationOf(first);
  if (first.client)
    dps.enrollments.addGroup({
      groupId: 'devices',
      attestation: { type: 'x509', caPem: [authority(nameIn(first.client[1])).pem] },
    });
  else if (scenario === 'dps-group') dps.enrollments.addGroup({ groupId: 'dps-group', attestation: keys(GROUP_KEY) });
  else {
    const deviceId = end?.registrationState?.deviceId ?? registrationId;
    const fixedAnswer = scripted ? { fixedAnswer: { ...scripted } } : {};
    dps.enrollments.addIndividual({ registrationId, deviceId, attestation: keys(KEY), ...fixedAnswer });
  }
  return dps;
}

const VOLATILE = { operationId: 'any', trackingId: 'any', timestampUtc: 'any' };
const VOLATILE_STATE = { createdDateTimeUtc: 'any', lastUpdatedDateTimeUtc: 'any', etag: 'any' };

/** What of a body must be the same. How a device was attested is left out: the recorder did not tell it. */
function shapeOf(body: RecordedBody): unknown {
  const masked = mask(body, VOLATILE);
  if (!body.registrationState) return masked;
  const { x509: _, symmetricKey: __, ...state } = body.registrationState as Record<string, unknown>;
  return { ...masked, registrationState: mask(state, VOLATILE_STATE) };
}

function mask(members: object, volatile: Record<string, string>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name, volatile[name] ?? value]));
}

test('there is a recording to replay', () => {
  expect(steps.flatMap(({ requests }) => requests).length).toBeGreaterThan(60);
});

test.each(steps)('CL-062 $name: each request gets the recorded answer', async ({ requests, scenario }) => {
  const dps = await startFor(requests, scenario);
  let operationId = '';
  for (const recorded of requests) {
    const expected = recorded.answer;
    if (!expected) throw new Error('a recorded request has no answer');
    const known = expected.status === 404 ? 'unknown' : operationId;
    const target = recorded.target.replace(/operations\/[^?]*/, `operations/${known}`);
    const { method, body } = recorded;
    const sent = { method, target, url: dps.url, headers: headersOf(recorded, scenario), ca: pki.root.certificatePem };
    const answer: TestAnswer = await sendTestRequest({
      ...sent,
      ...(body === undefined ? {} : { body }),
      ...certificateOf(recorded),
    });
    if (method === 'PUT') operationId = answer.body.operationId ?? operationId;
    expect({ status: answer.status, body: shapeOf(answer.body) }).toEqual({
      status: expected.status,
      body: shapeOf(expected.body),
    });
  }
});
