import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Pkcs10CertificateRequest, X509Certificate } from '@peculiar/x509';
import { answered, exchange, expectStatus, stringMember, type World } from '../runner/index.ts';
import type { Own, RecordedRequest, RecordedScenario } from './recorded.ts';
import type { Responder, Seen } from './responder.ts';

const run = promisify(execFile);
const VERSION = 'api-version=2020-09-01';
const RECORDED_PORTS = { https: '20443', http: '20444' };

/** A request for a new key with the subject of the recording. */
export async function makeRequest(kind: 'rsa' | 'ec'): Promise<string> {
  const key = kind === 'rsa' ? ['-newkey', 'rsa:2048'] : ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];
  const subject = ['-subj', '/CN=from the csr/O=Test', '-sha256'];
  const { stdout } = await run('openssl', ['req', '-new', ...key, '-nodes', '-keyout', '/dev/null', ...subject]);
  return stdout;
}

/** Subjects as the recording writes them: RFC 4514, the last attribute first. */
export function subjectsOf(pem: string): string[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => nameOf(new X509Certificate(block).subject));
}

const nameOf = (subject: string): string => subject.split(', ').reverse().join(',');

/** The configuration of the recording, with the ports of this run. */
export function configFor(
  recorded: RecordedScenario,
  responder: Pick<Responder, 'port' | 'httpPort'> | undefined,
): string {
  return recorded.config
    .replaceAll(`:${RECORDED_PORTS.https}/`, `:${responder?.port ?? 1}/`)
    .replaceAll(`:${RECORDED_PORTS.http}/`, `:${responder?.httpPort ?? 1}/`)
    .replaceAll(':20999/', ':1/');
}

/** One kind of request: operation, head and what is known of its body, without what differs from run to run. */
interface Kind {
  readonly request: string;
  readonly headers: readonly string[];
  readonly tls: readonly (string | null)[] | undefined;
  readonly body: readonly (string | number | boolean)[] | undefined;
}

const plainHeaders = (headers: readonly string[]) =>
  headers.map((line) => line.replace(/^content-length: \d+$/, 'content-length').replace(/^(host: .*):\d+$/, '$1'));

function recordedKind({ request = '', headers, tls, body }: RecordedRequest): Kind {
  return {
    // through a proxy the reference sends the absolute form, which ours does not (RFC 9112 3.2.1)
    request: request.replace(' HTTP/1.1', '').replace(/ https:\/\/[^/]+/, ' '),
    headers: plainHeaders(headers),
    tls: tls && [tls.version, tls.sni, tls.clientChain[0] ?? null],
    body: body && [body.lineLengths[0] ?? 0, body.endsWithNewline, body.carriageReturns, body.csr.subject],
  };
}

function seenKind({ request, headers, tls, body }: Seen): Kind {
  const csr = body === '' ? undefined : new Pkcs10CertificateRequest(Buffer.from(body, 'base64'));
  const longest = Math.max(...body.split('\n').map((line) => line.length));
  return {
    request,
    headers: plainHeaders(headers),
    tls: tls && [tls.version, tls.sni, tls.client === null ? null : tls.client.split('\n').reverse().join(',')],
    body: csr && [longest, body.endsWith('\n'), body.includes('\r'), nameOf(csr.subject)],
  };
}

/**
 * The two requests of an enrolment may be sent together or one after the other (est.md 2): which comes first is not fixed, and where one has failed
 * the other need not come.
 */
function compareRequests(recorded: RecordedScenario, responder: Responder | undefined, own: Own): void {
  const wanted = recorded.wire.requests.filter(({ request }) => request !== undefined).map(recordedKind);
  const came = (responder?.seen ?? []).map(seenKind);
  const text = (kind: Kind) => JSON.stringify(kind);
  const mode = own.requests ?? 'same';
  if (mode === 'any') return;
  if (mode === 'none') assert.deepEqual(came, [], 'requests reached the server');
  else if (mode === 'same')
    assert.deepEqual(came.map(text).sort(), wantedOf(recorded, wanted.map(text), came.map(text)));
  else {
    const kinds = new Set(wanted.map(text));
    for (const kind of came) assert.ok(kinds.has(text(kind)), `a request that was not recorded: ${text(kind)}`);
    if (mode === 'kinds' && !failsWhole(recorded))
      assert.equal(new Set(came.map(text)).size, kinds.size, 'a kind of request is missing');
    if (mode === 'fewer') assert.ok(came.length > 0, 'no request was sent');
  }
}

const failsWhole = ({ answers = [] }: RecordedScenario): boolean => answers.length === 1 && answers[0]?.status === 500;

/** What was recorded, sorted; of an enrolment that fails one request is enough. */
function wantedOf(recorded: RecordedScenario, wanted: readonly string[], came: readonly string[]): string[] {
  const [only] = came;
  return failsWhole(recorded) && only !== undefined && came.length === 1 && wanted.includes(only)
    ? [only]
    : wanted.toSorted();
}

async function read(world: World, id: string): Promise<string | undefined> {
  const target = `/certificates/${id}?${VERSION}`;
  const answer = answered(await exchange(world.socket('certd'), 0, { method: 'GET', target }));
  return answer.status === 200 ? stringMember(JSON.parse(answer.body), 'pem') : undefined;
}

/** Waits until the timer has done what it does at the start; the daemon is asked as any client would ask it. */
async function waitFor(world: World, id: string, subjects: readonly string[]): Promise<void> {
  const end = performance.now() + 15_000;
  for (;;) {
    const pem = await read(world, id);
    if (pem !== undefined && subjectsOf(pem).join() === subjects.join()) return;
    assert.ok(performance.now() < end, `${id} is ${pem && subjectsOf(pem).join(' | ')}, not ${subjects.join(' | ')}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Replays one scenario against a certd that runs; compares answers, what is stored, and what the server saw. */
export async function replay(
  world: World,
  recorded: RecordedScenario,
  { responder, own }: { readonly responder: Responder | undefined; readonly own: Own },
): Promise<void> {
  const statuses = own.answers ?? (recorded.answers ?? []).map(({ status }) => status);
  const after = own.after ?? afterOf(recorded);
  // renewals at the start are over before the recording asks for anything
  const early = recorded.id.startsWith('identity-due-at-start') && after['est-id']?.length === 3;
  if (early) await waitFor(world, 'est-id', after['est-id'] ?? []);
  const csr = await makeRequest(recorded.id === 'rsa-csr' ? 'rsa' : 'ec');
  for (const status of statuses) {
    const request = { method: 'POST', target: `/certificates?${VERSION}`, body: { certId: 'device-id', csr } };
    const body = expectStatus(await exchange(world.socket('certd'), 0, request), status);
    if (status !== 201) assert.deepEqual(body, { message: 'internal error' });
    else
      assert.equal(
        stringMember(body, 'pem'),
        await read(world, 'device-id'),
        'what was answered is not what is stored',
      );
  }
  for (const [id, subjects] of Object.entries(after)) {
    const pem = await read(world, id);
    assert.deepEqual(pem === undefined ? null : subjectsOf(pem), subjects, `subjects of ${id}`);
  }
  compareRequests(recorded, responder, own);
}

function afterOf(recorded: RecordedScenario): Readonly<Record<string, readonly string[] | null>> {
  const stored = Object.entries(recorded.after?.certificates ?? {});
  return Object.fromEntries(stored.flatMap(([id, value]) => (value ? [[id, value.chainSubjects]] : [])));
}
