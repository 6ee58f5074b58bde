import { randomUUID, type X509Certificate } from 'node:crypto';
import { type Attested, attest, type PolicyName } from './attestation.ts';
import type { Enrollments } from './enrollments.ts';
import { DpsError } from './errors.ts';
import { type DpsResource, readDpsPath } from './path.ts';
import type { Provisioning } from './provisioning.ts';
import { readRegisterBody } from './register-body.ts';
import type { ShownTpm, TpmChallenges } from './tpm/challenges.ts';
import { differenceOf } from './tpm/enrolled-key.ts';

/** A request as the service's rules see it: no sockets, header names in lower case. */
export interface DpsRequest {
  method: string;
  /** As received, without query. */
  path: string;
  query: URLSearchParams;
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  /** The certificates of the TLS handshake, leaf first. */
  certificates: readonly X509Certificate[];
}

/** What the service answers; `body` is written as JSON. */
export interface DpsAnswer {
  status: number;
  headers: Record<string, string>;
  body: unknown;
}

/** How a device of a disabled enrolment, or one that nothing is enrolled for, is answered. */
export type DisabledAnswer = 'status' | 'unauthorized';
export type UnknownAnswer = 'not-found' | 'unauthorized';

/** What the service's answers rest on. */
export interface DpsWorld {
  scopeId: string;
  enrollments: Enrollments;
  provisioning: Provisioning;
  challenges: TpmChallenges;
  apiVersions: readonly string[];
  retryAfterSeconds: number;
  disabledAnswer: DisabledAnswer;
  unknownAnswer: UnknownAnswer;
  policyName: PolicyName;
  now: () => number;
}

/**
 * Answers one request (spec cloud.md 3, 9). Checked in this order: path, method, api-version, scope, body, credential.
 *
 * @param proven told who the caller proved to be, as soon as that is known.
 * @throws DpsError for every refusal.
 */
export async function handleDpsRequest(
  request: DpsRequest,
  world: DpsWorld,
  proven: (attested: Attested) => void,
): Promise<DpsAnswer> {
  const resource = readDpsPath(request.path);
  if (!resource) throw new DpsError('notFound');
  if (request.method !== (resource.kind === 'register' ? 'PUT' : 'GET')) throw new DpsError('methodNotAllowed');
  const version = request.query.get('api-version');
  if (version === null || !world.apiVersions.includes(version)) {
    throw new DpsError('badRequest', {
      detail: version === null ? 'api-version is missing' : `api-version ${version} is unknown`,
    });
  }
  if (resource.scopeId.toLowerCase() !== world.scopeId.toLowerCase()) throw unknown('scopeNotFound', world);
  return resource.kind === 'register'
    ? register(request, resource, world, proven)
    : poll(request, resource, world, proven);
}

type Of<Kind extends DpsResource['kind']> = Extract<DpsResource, { kind: Kind }>;

async function register(
  request: DpsRequest,
  resource: Of<'register'>,
  world: DpsWorld,
  proven: (attested: Attested) => void,
) {
  if (!request.headers['content-type']?.toLowerCase().includes('application/json'))
    throw new DpsError('unsupportedMediaType');
  const { payload, tpm } = readRegisterBody(request.body.toString('utf8'), resource.registrationId);
  if (request.headers['authorization'] === undefined) {
    const challenge = challengeOf(resource.registrationId, tpm, world);
    if (challenge) return challenge;
  }
  const attested = prove(request, resource, world);
  proven(attested);
  if (!attested.enrollment.enabled && world.disabledAnswer === 'unauthorized') {
    throw new DpsError('unauthorized', { reason: 'the enrolment is disabled' });
  }
  const { operationId } = await world.provisioning.register(attested, resource.registrationId, payload);
  return { status: 202, headers: retryAfter(world), body: { operationId, status: 'assigning' } };
}

/**
 * The first answer to a device with a TPM: a key that only the enrolled TPM can take, to sign the token with (spec cloud.md 3.2, 9.7).
 * Undefined where the device is not enrolled with a TPM.
 */
function challengeOf(registrationId: string, shown: ShownTpm | undefined, world: DpsWorld): DpsAnswer | undefined {
  const attestation = world.enrollments.individual(registrationId)?.attestation;
  if (attestation?.type !== 'tpm') return undefined;
  if (!shown) throw new DpsError('unauthorized', { reason: 'the device showed no keys of a TPM' });
  const different = differenceOf(attestation, shown);
  if (different !== undefined) throw new DpsError('unauthorized', { reason: different });
  try {
    const authenticationKey = world.challenges.issue(registrationId, shown);
    const body = {
      message: 'Authorization required.',
      keyName: 'registration',
      authenticationKey,
      trackingId: randomUUID(),
    };
    return { status: 401, headers: {}, body };
  } catch (error) {
    if (error instanceof TypeError) throw new DpsError('unauthorized', { reason: error.message });
    throw error;
  }
}

function poll(
  request: DpsRequest,
  resource: Of<'operation'>,
  world: DpsWorld,
  proven: (attested: Attested) => void,
): DpsAnswer {
  const attested = prove(request, resource, world);
  proven(attested);
  const answer = world.provisioning.poll(attested, resource.registrationId, resource.operationId);
  return { ...answer, headers: answer.status === 202 ? retryAfter(world) : {} };
}

function prove(request: DpsRequest, { registrationId }: DpsResource, world: DpsWorld): Attested {
  const caller = { authorization: request.headers['authorization'], certificates: request.certificates };
  const { enrollments, challenges, scopeId, policyName } = world;
  try {
    return attest(caller, { enrollments, challenges, scopeId, registrationId, policyName, now: world.now() });
  } catch (error) {
    if (error instanceof DpsError && error.code === 'registrationNotFound')
      throw unknown(error.code, world, error.reason);
    throw error;
  }
}

function unknown(code: 'scopeNotFound' | 'registrationNotFound', world: DpsWorld, reason?: string): DpsError {
  const why = reason ?? 'the scope is unknown';
  return new DpsError(world.unknownAnswer === 'not-found' ? code : 'unauthorized', { reason: why });
}

function retryAfter({ retryAfterSeconds }: DpsWorld): Record<string, string> {
  return { 'Retry-After': String(retryAfterSeconds) };
}
