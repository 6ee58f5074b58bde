import type { FrontDoorAnswer, FrontDoorRequest } from '../common/index.ts';
import { certificatesAnswer, headersOf, statusOf } from './certificates-answer.ts';
import { bodyOf } from './certs-only.ts';
import { writeCsrAttributes } from './csr-attributes.ts';
import { enrol, enrolWithServerKey, identify } from './enrol.ts';
import { type EstTarget, type Operation, readEstPath } from './path.ts';
import type { WholeProfile } from './profile.ts';
import { type EstQuirks, quirkNames, quirksFor } from './quirks.ts';
import { EstRefusal } from './refusal.ts';
import type { World } from './world.ts';

const PAGE = '<!doctype html><html><body><h1>Sign in</h1></body></html>\n';
const METHOD_OF: Readonly<Record<Operation, 'GET' | 'POST'>> = {
  cacerts: 'GET',
  csrattrs: 'GET',
  simpleenroll: 'POST',
  simplereenroll: 'POST',
  serverkeygen: 'POST',
  fullcmc: 'POST',
};

/** One request with all that it is judged by. */
interface Task {
  readonly world: World;
  readonly profile: WholeProfile;
  readonly quirks: EstQuirks;
  readonly request: FrontDoorRequest;
}

async function cacerts({ world, profile, quirks }: Task): Promise<FrontDoorAnswer> {
  const issuer = await world.authorities.issuer(profile.ca);
  const certificates = await world.authorities.shown(profile.ca);
  const parts = { certificates, crls: () => [world.crl(profile.ca, issuer)], strangers: () => world.strangers() };
  return certificatesAnswer(parts, quirks);
}

/** What a request should hold; who must tie it to the connection is told so (RFC 7030 4.5.2). */
function csrattrs({ profile, quirks }: Task): FrontDoorAnswer {
  const tie = profile.possession === 'required' ? ['challengePassword'] : [];
  const attributes = [...tie, ...profile.csrAttributes.filter((attribute) => attribute !== tie[0])];
  if (attributes.length === 0) return { status: 204 };
  const body = bodyOf(writeCsrAttributes(attributes), quirks.body ?? 'wrapped');
  return { status: statusOf(quirks), headers: headersOf('application/csrattrs', quirks), body };
}

async function fullcmc({ world, profile, request }: Task): Promise<FrontDoorAnswer> {
  await identify(world, profile, request);
  const type = request.headers['content-type']?.toLowerCase().replace(/\s/g, '');
  if (!type?.startsWith('application/pkcs7-mime'))
    throw new EstRefusal(415, 'the content type must be application/pkcs7-mime; smime-type=CMC-request');
  throw new EstRefusal(501, 'this server does not offer Full CMC; use simpleenroll, simplereenroll or serverkeygen');
}

function perform(task: Task, operation: Operation): Promise<FrontDoorAnswer> | FrontDoorAnswer {
  const identified = async () => ({ ...task, enrolee: await identify(task.world, task.profile, task.request) });
  switch (operation) {
    case 'cacerts':
      return cacerts(task);
    case 'csrattrs':
      return csrattrs(task);
    case 'simpleenroll':
    case 'simplereenroll':
      return identified().then((enrolment) => enrol(enrolment, operation));
    case 'serverkeygen':
      return identified().then(enrolWithServerKey);
    case 'fullcmc':
      return fullcmc(task);
  }
}

function hangUpOf(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** The answer as the pace and the cut of the quirks make it. */
function spoilt(answer: FrontDoorAnswer, quirks: EstQuirks): FrontDoorAnswer {
  const pace = quirks.slowBytesMilliseconds;
  return {
    ...answer,
    ...(pace === undefined ? {} : { millisecondsPerByte: pace }),
    ...(quirks.closeMidBody ? { cutAfterBytes: Buffer.byteLength(answer.body ?? '') >> 1 } : {}),
  };
}

function targetOf({ path, method }: FrontDoorRequest): EstTarget {
  const target = readEstPath(path);
  if (!target) throw new EstRefusal(404, 'no such operation');
  const allow = METHOD_OF[target.operation];
  if (method !== allow) throw new EstRefusal(405, 'method not allowed', { headers: { allow } });
  return target;
}

async function proper(world: World, request: FrontDoorRequest): Promise<FrontDoorAnswer> {
  const { operation, label } = targetOf(request);
  const profile = world.profile(label);
  if (!profile) throw new EstRefusal(404, 'no such label');
  const quirks = quirksFor(world.quirks, { operation, label });
  const played = quirkNames(quirks);
  if (played !== undefined) request.entry.fault = played;
  if (quirks.html) return { status: 200, headers: { 'content-type': 'text/html' }, body: PAGE };
  if (quirks.redirect !== undefined) return { status: 302, headers: { location: quirks.redirect } };
  if (quirks.never) await hangUpOf(request.signal);
  if (quirks.delayMilliseconds !== undefined) await world.clock.sleep(quirks.delayMilliseconds, request.signal);
  return spoilt(await perform({ world, profile, quirks, request }, operation), quirks);
}

/** Answers one request; a refusal is one line of plain text (RFC 7030 4.2.3), its reason is journalled. */
export async function answer(world: World, request: FrontDoorRequest): Promise<FrontDoorAnswer> {
  try {
    return await proper(world, request);
  } catch (error) {
    if (!(error instanceof EstRefusal)) throw error;
    request.entry.reason = error.reason;
    // Bouncy Castle's client answers a first challenge only where it has no body
    if (error.status === 401 && request.headers['authorization'] === undefined)
      return { status: error.status, headers: error.headers };
    const headers = { 'content-type': 'text/plain', ...error.headers };
    return { status: error.status, headers, body: `${error.message}\n` };
  }
}
