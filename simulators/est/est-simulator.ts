import { createHash, type X509Certificate } from 'node:crypto';
import {
  type Clock,
  createFaultScript,
  createJournal,
  type FaultScript,
  type FrontDoorAnswer,
  type FrontDoorRequest,
  type Journal,
  readPemChain,
  SystemClock,
  startFrontDoor,
  type TestPki,
} from '../common/index.ts';
import { authenticate, type EstAuth } from './authenticate.ts';
import { readRequest } from './certificate-request.ts';
import { certificatesAnswer } from './certificates-answer.ts';
import { checkReenrolment, issueFor } from './issue.ts';
import { type Operation, readEstPath } from './path.ts';
import { type EstQuirks, quirkNames, quirksFor } from './quirks.ts';
import { EstRefusal } from './refusal.ts';

const THIRTY_DAYS_SECONDS = 30 * 86_400;
const EXPIRED_FOR_MS = 60_000;
const LARGEST_REQUEST_BYTES = 64 * 1024;
const PAGE = '<!doctype html><html><body><h1>Sign in</h1></body></html>\n';
const METHOD_OF: Readonly<Record<Operation, 'GET' | 'POST'>> = {
  cacerts: 'GET',
  csrattrs: 'GET',
  simpleenroll: 'POST',
  simplereenroll: 'POST',
  serverkeygen: 'POST',
  fullcmc: 'POST',
};

/** What an EST simulator is made of. */
export interface EstSimulatorOptions {
  readonly pki: TestPki;
  readonly auth: EstAuth;
  readonly clock?: Clock;
  readonly host?: string;
  /** 0, the default: any free port. */
  readonly port?: number;
  /** Life of issued certificates, down to seconds; default 30 days. */
  readonly certificateLifetimeSeconds?: number;
  /** Begin of validity from now, negative for the past; default 0. */
  readonly notBeforeOffsetSeconds?: number;
  readonly journal?: Journal;
  readonly faults?: FaultScript;
  readonly quirks?: EstQuirks;
}

/** An EST server that is up. */
export interface EstSimulator {
  /** Base URL, `https://localhost:PORT/.well-known/est`. */
  readonly url: string;
  /** Issuing authority and root, PEM: `openssl verify -CAfile` of what was issued. */
  readonly caPem: string;
  readonly journal: Journal;
  readonly faults: FaultScript;
  setQuirks(quirks: EstQuirks): void;
  close(): Promise<void>;
}

interface World {
  readonly options: EstSimulatorOptions;
  readonly clock: Clock;
  readonly caChain: readonly X509Certificate[];
  /** How often each request was put off, by the hash of its bytes. */
  readonly putOff: Map<string, number>;
  quirks: EstQuirks;
}

/** The answer that tells to come again, as often as the quirk says for each request; undefined after that. */
function putOff(world: World, der: Buffer, pending: EstQuirks['pending']): FrontDoorAnswer | undefined {
  if (!pending) return undefined;
  const id = createHash('sha256').update(der).digest('hex');
  const times = world.putOff.get(id) ?? 0;
  if (times >= pending.times) return undefined;
  world.putOff.set(id, times + 1);
  return {
    status: 202,
    headers: { 'retry-after': String(pending.retryAfterSeconds), 'content-type': 'text/plain' },
    body: 'waiting for approval\n',
  };
}

/** Begin and end of a certificate made now, in whole seconds. */
function validity(world: World, quirks: EstQuirks): { notBefore: Date; notAfter: Date } {
  const { certificateLifetimeSeconds = THIRTY_DAYS_SECONDS, notBeforeOffsetSeconds = 0 } = world.options;
  const now = Math.floor(world.clock.now() / 1000) * 1000;
  const end = quirks.expiredLeaf
    ? now - EXPIRED_FOR_MS
    : now + (notBeforeOffsetSeconds + certificateLifetimeSeconds) * 1000;
  const begin = quirks.expiredLeaf ? end - certificateLifetimeSeconds * 1000 : now + notBeforeOffsetSeconds * 1000;
  return { notBefore: new Date(begin), notAfter: new Date(end) };
}

async function enrol(
  world: World,
  request: FrontDoorRequest,
  operation: 'simpleenroll' | 'simplereenroll',
  quirks: EstQuirks,
): Promise<FrontDoorAnswer> {
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/pkcs10') throw new EstRefusal(415, 'the content type must be application/pkcs10');
  const csr = readRequest(request.body);
  if (operation === 'simplereenroll') checkReenrolment(csr, request.clientChain[0]);
  const later = putOff(world, csr.der, quirks.pending);
  if (later) return later;
  const leaf = await issueFor(csr, {
    ca: await world.options.pki.ca('est'),
    ...validity(world, quirks),
    key: quirks.foreignLeaf ? 'foreign' : 'own',
  });
  return certificatesAnswer(quirks.chainReversed ? [...world.caChain, leaf] : [leaf], quirks);
}

function hangUpOf(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

async function answer(world: World, request: FrontDoorRequest): Promise<FrontDoorAnswer> {
  const target = readEstPath(request.path);
  if (!target) throw new EstRefusal(404, 'no such operation');
  if (request.method !== METHOD_OF[target.operation]) {
    throw new EstRefusal(405, 'method not allowed', { headers: { allow: METHOD_OF[target.operation] } });
  }
  const quirks = quirksFor(world.quirks, target.operation);
  const played = quirkNames(quirks);
  if (played !== undefined) request.entry.fault = played;
  if (quirks.html) return { status: 200, headers: { 'content-type': 'text/html' }, body: PAGE };
  if (quirks.never) await hangUpOf(request.signal);
  switch (target.operation) {
    case 'cacerts':
      return certificatesAnswer(world.caChain, quirks);
    case 'csrattrs':
      return { status: 204 };
    case 'simpleenroll':
    case 'simplereenroll': {
      const caller = {
        authorization: request.headers['authorization'],
        clientChain: request.clientChain,
        now: world.clock.now(),
      };
      const { name, by } = authenticate(world.options.auth, caller);
      request.entry.principal = `${name} (${by})`;
      return enrol(world, request, target.operation, quirks);
    }
    case 'serverkeygen':
    case 'fullcmc':
      throw new EstRefusal(501, 'this server does not offer this operation');
  }
}

/** Runs one request; a refusal is answered in plain text (RFC 7030 4.2.3) and its reason journalled. */
async function handle(world: World, request: FrontDoorRequest): Promise<FrontDoorAnswer> {
  try {
    return await answer(world, request);
  } catch (error) {
    if (!(error instanceof EstRefusal)) throw error;
    request.entry.reason = error.reason;
    return {
      status: error.status,
      headers: { 'content-type': 'text/plain', ...error.headers },
      body: `${error.message}\n`,
    };
  }
}

/**
 * Starts an EST server over TLS that verifies every credential (RFC 7030, RFC 8951; spec/est.md 4).
 *
 * @throws where the address is in use, or no credential is configured: such a server could issue to nobody.
 */
export async function createEstSimulator(options: EstSimulatorOptions): Promise<EstSimulator> {
  if (!options.auth.basic && !options.auth.clientCas)
    throw new Error('EST simulator: auth needs basic, clientCas or both');
  const ca = await options.pki.ca('est');
  const caPem = ca.certificatePem + options.pki.root.certificatePem;
  const world: World = {
    options,
    clock: options.clock ?? new SystemClock(),
    caChain: readPemChain(caPem),
    putOff: new Map(),
    quirks: options.quirks ?? {},
  };
  const journal = options.journal ?? createJournal();
  const faults = options.faults ?? createFaultScript();
  const door = await startFrontDoor({
    service: 'est',
    tls: await options.pki.issueServerCertificate({ hosts: ['localhost', '127.0.0.1'] }),
    handler: (request) => handle(world, request),
    journal,
    faults,
    clock: options.clock,
    maxBodyBytes: LARGEST_REQUEST_BYTES,
    host: options.host,
    port: options.port,
  });
  return {
    url: `${door.url}/.well-known/est`,
    caPem,
    journal,
    faults,
    setQuirks(quirks) {
      world.quirks = quirks;
    },
    close: () => door.close(),
  };
}
