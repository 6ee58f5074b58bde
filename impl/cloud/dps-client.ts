import { CloudError } from './cloud-error.ts';
import type { CloudContext } from './context.ts';
import type { CloudCredential } from './credential.ts';
import { decodeKey, type RegistrationStep, readChallenge, readStep } from './dps-answers.ts';
import { errorOfAnswer, type Operation, type OperationAnswer, runOperation, segment, statusText } from './operation.ts';

const API_VERSION = '2021-06-01';
const RETRY_STATUSES = [500, 502, 503, 504];
const ERROR_MEMBERS = ['message', 'errorMessage'];
const POLL_PAUSE_MS = 5000;
const POLL_TIMEOUT_MS = 30_000;
const OVERALL_DEADLINE_MS = 10 * 60_000;

/** The TPM as DPS needs it; calls throw when the TPM service fails. */
export interface DpsTpm {
  keys(): Promise<{ readonly endorsementKey: Uint8Array; readonly storageRootKey: Uint8Array }>;
  importKey(wrapped: Uint8Array): Promise<void>;
}

/** What is registered, and how the device proves itself. */
export interface Registration {
  /** `global_endpoint`; https, path and query are replaced. */
  readonly endpoint: URL;
  readonly scopeId: string;
  readonly registrationId: string;
  readonly credential: CloudCredential;
  /** Present for TPM attestation: the challenge comes first, and the assigned key is imported. */
  readonly tpm?: DpsTpm | undefined;
  /** JSON text of the custom payload. */
  readonly payload?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What DPS assigned; the device id may differ from the registration id, the hub may carry a port. */
export interface Assignment {
  readonly hubName: string;
  readonly deviceId: string;
}

function bodyOf(registration: Registration, tpm: object | undefined): string {
  const id = JSON.stringify(registration.registrationId);
  const keys = tpm ? `,"tpm":${JSON.stringify(tpm)}` : '';
  const payload = registration.payload === undefined ? '' : `,"payload":${registration.payload}`;
  return `{"registrationId":${id}${keys}${payload}}`;
}

function operationOf(registration: Registration, method: 'GET' | 'PUT', tail: string): Operation {
  const { endpoint, scopeId, registrationId } = registration;
  if (endpoint.protocol !== 'https:') {
    throw new CloudError('refused', `global_endpoint ${endpoint.host} must be an https address`);
  }
  const base = `/${segment(scopeId)}/registrations/${segment(registrationId)}`;
  return {
    method,
    host: endpoint.host,
    target: `${base}/${tail}?api-version=${API_VERSION}`,
    credential: registration.credential,
    scope: { resource: `${scopeId}/registrations/${registrationId}`, keyName: 'registration' },
    expected: [202],
    retryStatuses: RETRY_STATUSES,
    signal: registration.signal,
  };
}

async function local<T>(work: Promise<T>, what: string): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new CloudError('local', what, { cause });
  }
}

async function passChallenge(context: CloudContext, registration: Registration, tpm: DpsTpm): Promise<object> {
  const keys = await local(tpm.keys(), 'could not read the keys of the TPM');
  const shown = {
    endorsementKey: Buffer.from(keys.endorsementKey).toString('base64'),
    storageRootKey: Buffer.from(keys.storageRootKey).toString('base64'),
  };
  const answer = await runOperation(context, {
    ...operationOf(registration, 'PUT', 'register'),
    credential: undefined,
    expected: [401],
    body: bodyOf(registration, shown),
  });
  if (answer.status !== 401) {
    if (answer.status >= 400) throw errorOfAnswer(answer, [401], ERROR_MEMBERS);
    throw new CloudError('invalid-data', `Expected one of [401], got ${statusText(answer.status)}`);
  }
  await local(tpm.importKey(readChallenge(answer)), 'could not import the key of DPS into the TPM');
  return shown;
}

/** Whether a poll that failed like this may be tried again: the next poll can still find the assignment. */
function isTolerable(error: unknown): boolean {
  return error instanceof CloudError && (error.failure === 'network' || error.failure === 'transient');
}

async function poll(context: CloudContext, registration: Registration, operationId: string): Promise<OperationAnswer> {
  const answer = await runOperation(context, {
    ...operationOf(registration, 'GET', `operations/${segment(operationId)}`),
    expected: [200, 202],
    timeoutMs: POLL_TIMEOUT_MS,
    retries: 0,
    retryStatuses: [],
  });
  if (answer.status !== 200 && answer.status !== 202) throw errorOfAnswer(answer, [200, 202], ERROR_MEMBERS);
  return answer;
}

async function followUp(
  context: CloudContext,
  registration: Registration,
  first: OperationAnswer,
  operationId: string,
  deadline: number,
): Promise<Extract<RegistrationStep, { state: 'assigned' }>> {
  let pause = first.retryAfterMs;
  for (;;) {
    const wait = Math.max(1000, pause ?? POLL_PAUSE_MS);
    if (context.clock.now() + wait > deadline) {
      throw new CloudError('transient', 'DPS did not assign the device in time; it is tried again later', {
        retryAfterMs: pause,
      });
    }
    await context.clock.sleep(wait, registration.signal);
    pause = undefined;
    try {
      const answer = await poll(context, registration, operationId);
      pause = answer.retryAfterMs;
      const step = readStep(answer);
      if (step.state === 'assigned') return step;
    } catch (error) {
      if (!isTolerable(error)) throw error;
      pause = (error as CloudError).retryAfterMs;
      context.log.warn(`could not poll DPS, it is tried again: ${(error as Error).message}`);
    }
  }
}

/**
 * Registers the device with DPS and waits for the assignment, at most ten minutes (spec/cloud.md 3). Every request carries a fresh
 * token; polls honour `Retry-After` and outlive single network errors. Throws CloudError.
 */
export async function registerDevice(context: CloudContext, registration: Registration): Promise<Assignment> {
  const deadline = context.clock.now() + OVERALL_DEADLINE_MS;
  const tpmKeys = registration.tpm && (await passChallenge(context, registration, registration.tpm));
  const answer = await runOperation(context, {
    ...operationOf(registration, 'PUT', 'register'),
    body: bodyOf(registration, tpmKeys),
  });
  if (answer.status !== 202 && answer.status !== 200) throw errorOfAnswer(answer, [202], ERROR_MEMBERS);
  let step = readStep(answer);
  if (step.state === 'pending') {
    if (step.operationId === undefined)
      throw new CloudError('invalid-data', 'missing field `operationId` in the answer of DPS');
    step = await followUp(context, registration, answer, step.operationId, deadline);
  }
  if (registration.tpm && step.authenticationKey !== undefined) {
    const work = registration.tpm.importKey(decodeKey(step.authenticationKey));
    await local(work, 'could not import the key of the hub into the TPM');
  }
  return { hubName: step.hubName, deviceId: step.deviceId };
}
