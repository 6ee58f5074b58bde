import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  type Clock,
  createFaultScript,
  createJournal,
  type FaultScript,
  type FrontDoorAnswer,
  type FrontDoorRequest,
  type Journal,
  openStateStore,
  SystemClock,
  startFrontDoor,
  type TestPki,
} from '../common/index.ts';
import type { Allocate } from './allocation.ts';
import type { Attested } from './attestation.ts';
import { enrollmentKey } from './enrollment.ts';
import { Enrollments } from './enrollments.ts';
import { DpsError, dpsErrorBody } from './errors.ts';
import { type DisabledAnswer, type DpsAnswer, type DpsWorld, handleDpsRequest, type UnknownAnswer } from './handler.ts';
import type { HubLink } from './hub-link.ts';
import { Provisioning, type ReturnPayload } from './provisioning.ts';
import { TpmChallenges } from './tpm/challenges.ts';

/** The API versions that the service serves by default: the one of the identity service, and those of the SDKs. */
export const DPS_API_VERSIONS: readonly string[] = ['2021-06-01', '2019-03-31', '2021-10-01'];

export interface DpsOptions {
  pki: TestPki;
  clock?: Clock;
  host?: string;
  /** 0, the default, takes any free port. */
  port?: number;
  /** A name beside `localhost` that its certificate is for. */
  hostName?: string;
  scopeId?: string;
  hubs: readonly HubLink[];
  /** Where the state survives a kill; in memory by default. */
  stateDir?: string;
  journal?: Journal;
  faults?: FaultScript;
  apiVersions?: readonly string[];
  /** How many polls of an operation are answered `assigning`; 1 by default. */
  assigningPolls?: number;
  /** The value of `Retry-After`, in seconds; 3 by default. */
  retryAfterSeconds?: number;
  disabledAnswer?: DisabledAnswer;
  unknownAnswer?: UnknownAnswer;
  /** `like-azure` also takes tokens that leave the policy name out. */
  mode?: 'strict' | 'like-azure';
  allocate?: Allocate;
  returnPayload?: ReturnPayload;
}

export interface DpsSimulator {
  /** `https://localhost:PORT/`. */
  url: string;
  scopeId: string;
  enrollments: Enrollments;
  registrations: Pick<Provisioning, 'list' | 'get' | 'remove'>;
  journal: Journal;
  faults: FaultScript;
  close(): Promise<void>;
}

/**
 * Starts a simulated Device Provisioning Service: the device API over HTTPS (spec cloud.md 9). Strict: every
 * credential is verified as the service does, on registration and on each poll.
 */
export async function createDpsSimulator(options: DpsOptions): Promise<DpsSimulator> {
  const clock = options.clock ?? new SystemClock();
  const journal = options.journal ?? createJournal();
  const faults = options.faults ?? createFaultScript();
  const scopeId = options.scopeId ?? '0ne00Test01';
  const now = () => clock.now();
  const store = openStateStore({ stateDir: options.stateDir, name: 'dps' });
  const enrollments = new Enrollments(store);
  const provisioning = new Provisioning({
    store,
    hubs: options.hubs,
    now,
    newOperationId: operationIds(scopeId),
    assigningPolls: options.assigningPolls ?? 1,
    allocate: options.allocate,
    returnPayload: options.returnPayload,
  });
  const world: DpsWorld = {
    scopeId,
    enrollments,
    provisioning,
    challenges: new TpmChallenges(store),
    apiVersions: options.apiVersions ?? DPS_API_VERSIONS,
    retryAfterSeconds: options.retryAfterSeconds ?? 3,
    disabledAnswer: options.disabledAnswer ?? 'status',
    unknownAnswer: options.unknownAnswer ?? 'not-found',
    policyName: options.mode === 'like-azure' ? 'optional' : 'required',
    now,
  };
  try {
    const hosts = [...new Set(['localhost', '127.0.0.1', ...(options.hostName ? [options.hostName] : [])])];
    const door = await startFrontDoor({
      service: 'dps',
      tls: await options.pki.issueServerCertificate({ hosts }),
      handler: (request) => answer(request, world),
      journal,
      faults,
      clock,
      host: options.host,
      port: options.port,
    });
    const close = async () => {
      await door.close();
      store.close();
    };
    return { url: `${door.url}/`, scopeId, enrollments, registrations: provisioning, journal, faults, close };
  } catch (error) {
    store.close();
    throw error;
  }
}

/** Ids in the form of the service: `5.`, 16 hex digits of the scope, a UUID. */
function operationIds(scopeId: string): () => string {
  const scope = createHash('sha256').update(scopeId).digest('hex').slice(0, 16);
  return () => `5.${scope}.${randomUUID()}`;
}

async function answer(request: FrontDoorRequest, world: DpsWorld): Promise<FrontDoorAnswer> {
  const { entry } = request;
  const proven = (attested: Attested) => {
    entry.principal = `${enrollmentKey(attested.enrollment)} (${attested.kind}, ${attested.by})`;
  };
  try {
    return written(await handleDpsRequest({ ...request, certificates: request.clientChain }, world, proven));
  } catch (error) {
    const refusal = error instanceof DpsError ? error : new DpsError('internal', { reason: String(error) });
    entry.reason = refusal.reason;
    return written({ status: refusal.status, headers: {}, body: dpsErrorBody(refusal, randomUUID(), world.now()) });
  }
}

function written({ status, headers, body }: DpsAnswer): FrontDoorAnswer {
  return {
    status,
    headers: {
      'Content-Type': 'application/json; charset=utf-8',
      'x-ms-request-id': randomBytes(16).toString('hex'),
      ...headers,
    },
    body: JSON.stringify(body),
  };
}
