import { credentialFault, type DeviceProof } from './stand-in-credentials.ts';
import type { StandInHub } from './stand-in-hub.ts';
import { type CloudAnswer, type CloudRequest, headerOf, pathOf } from './stand-in-request.ts';

/** An enrolment: who may register, and what is assigned. */
export interface StandInEnrolment extends DeviceProof {
  readonly deviceId: string;
  readonly hub: string;
  /** Polls that answer `assigning` before the device is assigned; none where absent. */
  readonly assigning?: number;
  /** TPM attestation: the key that the challenge brings, and the one that comes with the assignment. */
  readonly tpm?: { readonly challenge: Buffer; readonly hubKey: Buffer };
}

const API = 'api-version=2021-06-01';
const SECONDS_TO_POLL = '1';

const refusal = (status: number, errorCode: number, message: string): CloudAnswer => ({
  status,
  body: { errorCode, trackingId: '0f0f', message, timestampUtc: '2026-01-01T00:00:00.0000000Z' },
});
const UNAUTHORIZED = refusal(401, 401_002, 'Unauthorized');

/** Registrations of one scope. A poll is asked for after a second, so that nothing waits long. */
export class StandInDps {
  readonly scopeId: string;
  readonly enrolments = new Map<string, StandInEnrolment>();
  readonly #hub: StandInHub;
  readonly #polls = new Map<string, number>();

  constructor(scopeId: string, hub: StandInHub) {
    this.scopeId = scopeId;
    this.#hub = hub;
  }

  clear(): void {
    this.enrolments.clear();
    this.#polls.clear();
  }

  answer(request: CloudRequest): CloudAnswer {
    const [, scope = '', rawId = '', tail = ''] =
      /^\/([^/]+)\/registrations\/([^/]+)\/(.+)$/.exec(pathOf(request)) ?? [];
    if (!request.target.endsWith(`?${API}`)) return refusal(400, 400_004, 'api-version');
    if (scope !== this.scopeId) return refusal(404, 404_202, 'Scope not found');
    const id = decodeURIComponent(rawId);
    const enrolment = this.enrolments.get(id);
    if (!enrolment) return refusal(404, 404_201, 'Registration not found');
    const isFirstOfTpm = enrolment.tpm !== undefined && headerOf(request, 'authorization') === undefined;
    if (isFirstOfTpm) return challenge(enrolment.tpm?.challenge);
    const proof = enrolment.tpm ? { key: enrolment.tpm.challenge } : enrolment;
    const fault = credentialFault(request, proof, [`${this.scopeId}/registrations/${id}`], 'registration');
    if (fault !== undefined) return UNAUTHORIZED;
    return tail === 'register' ? this.#register(request, id) : this.#poll(id, tail, enrolment);
  }

  #register(request: CloudRequest, id: string): CloudAnswer {
    if (JSON.parse(request.body).registrationId !== id) return refusal(400, 400_004, 'registrationId');
    const operationId = `5.316aac5bdc130deb.${String(this.#polls.size + 1).padStart(8, '0')}-0000-4000-8000-000000000000`;
    this.#polls.set(operationId, 0);
    return { status: 202, body: { operationId, status: 'assigning' }, headers: { 'retry-after': SECONDS_TO_POLL } };
  }

  #poll(registrationId: string, tail: string, enrolment: StandInEnrolment): CloudAnswer {
    const operationId = tail.replace(/^operations\//, '');
    const polled = this.#polls.get(operationId);
    if (polled === undefined) return refusal(404, 404_203, 'Operation not found');
    this.#polls.set(operationId, polled + 1);
    if (polled < (enrolment.assigning ?? 0)) {
      const body = { operationId, status: 'assigning', registrationState: { registrationId, status: 'assigning' } };
      return { status: 202, body, headers: { 'retry-after': SECONDS_TO_POLL } };
    }
    const { deviceId, hub, tpm } = enrolment;
    this.#hub.putDevice(deviceId, tpm ? { key: tpm.hubKey } : enrolment);
    const wrapped = tpm ? { tpm: { authenticationKey: tpm.hubKey.toString('base64') } } : {};
    const state = { registrationId, status: 'assigned', assignedHub: hub, deviceId, ...wrapped };
    return { status: 200, body: { operationId, status: 'assigned', registrationState: state } };
  }
}

function challenge(key: Buffer | undefined): CloudAnswer {
  const body = { message: 'Authorization required.', authenticationKey: key?.toString('base64'), trackingId: '0f0f' };
  return { status: 401, body };
}
