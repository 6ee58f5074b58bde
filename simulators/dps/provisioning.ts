import type { StateStore } from '../common/index.ts';
import { type Allocate, AllocationFailure, chooseHub, isSameHost } from './allocation.ts';
import type { Attested } from './attestation.ts';
import { deviceIdOf, enrollmentKey } from './enrollment.ts';
import { DpsError } from './errors.ts';
import type { HubLink } from './hub-link.ts';
import { type Operation, type Outcome, type PollAnswer, pollOperation, type Registration } from './registration.ts';
import { planAssignment } from './reprovision.ts';

/** What a registration that is not custom-allocated gives back to the device; `undefined` for no payload. */
export type ReturnPayload = (request: { registrationId: string; payload: unknown }) => unknown;

export interface ProvisioningOptions {
  store: StateStore;
  hubs: readonly HubLink[];
  /** Milliseconds since 1970. */
  now: () => number;
  /** A new operation id, never given twice. */
  newOperationId: () => string;
  /** How many polls of an operation are answered `assigning`. */
  assigningPolls: number;
  allocate: Allocate | undefined;
  returnPayload: ReturnPayload | undefined;
}

const REGISTRATIONS = 'registrations';
const OPERATIONS = 'operations';
const HUB_REFUSED = 500000;

/** How many operations of one registration are remembered; the oldest is forgotten first. */
const OPERATIONS_KEPT = 16;

/** The registrations and operations of one scope: assigns devices to hubs, and answers polls. */
export class Provisioning {
  readonly #options: ProvisioningOptions;
  readonly #registrations = new Map<string, Registration>();
  readonly #operations = new Map<string, Operation>();
  readonly #underWay = new Map<string, Promise<unknown>>();

  constructor(options: ProvisioningOptions) {
    this.#options = options;
    for (const { key, value } of options.store.list<Registration>(REGISTRATIONS)) this.#registrations.set(key, value);
    const operations = options.store.list<Operation>(OPERATIONS).map(({ value }) => value);
    for (const operation of operations.sort((a, b) => a.startedAt - b.startedAt))
      this.#operations.set(operation.operationId, operation);
  }

  list(): Registration[] {
    return [...this.#registrations.values()];
  }

  get(registrationId: string): Registration | undefined {
    return this.#registrations.get(idKey(registrationId));
  }

  /** Forgets where a device was assigned; the device stays in its hub. Answers whether it was known. */
  remove(registrationId: string): boolean {
    this.#options.store.delete(REGISTRATIONS, idKey(registrationId));
    return this.#registrations.delete(idKey(registrationId));
  }

  /**
   * Registers an attested device and answers the new operation. The assignment is made before the answer, so that
   * a device whose operation is known is in its hub; polls show it after the configured number of `assigning`.
   * Two registrations of one id are made one after the other.
   */
  async register(attested: Attested, registrationId: string, payload: unknown): Promise<Operation> {
    const key = idKey(registrationId);
    const before = this.#underWay.get(key) ?? Promise.resolve();
    const mine = before.then(() => this.#register(attested, registrationId, payload));
    const settled = mine.then(
      () => {},
      () => {},
    );
    this.#underWay.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#underWay.get(key) === settled) this.#underWay.delete(key);
    }
  }

  /**
   * Answers a poll of a device that proved itself again.
   *
   * @throws DpsError operationNotFound when the operation is not this registration's and this credential's own.
   */
  poll(attested: Attested, registrationId: string, operationId: string): PollAnswer {
    const operation = this.#operations.get(operationId);
    if (!operation) throw new DpsError('operationNotFound');
    if (idKey(operation.registrationId) !== idKey(registrationId) || operation.credential !== attested.credential) {
      throw new DpsError('operationNotFound', {
        reason: 'the operation belongs to another registration or credential',
      });
    }
    const { next, answer } = pollOperation(operation);
    if (next !== operation) this.#saveOperation(next);
    return answer;
  }

  async #register(attested: Attested, registrationId: string, payload: unknown): Promise<Operation> {
    const operation: Operation = {
      operationId: this.#options.newOperationId(),
      registrationId,
      credential: attested.credential,
      startedAt: this.#options.now(),
      assigningPollsLeft: this.#options.assigningPolls,
      outcome: await this.#decide(attested, registrationId, payload),
    };
    this.#forgetOldest(registrationId);
    this.#saveOperation(operation);
    return operation;
  }

  async #decide(attested: Attested, registrationId: string, payload: unknown): Promise<Outcome> {
    const { enrollment } = attested;
    if (!enrollment.enabled) return { status: 'disabled' };
    if (enrollment.fixedAnswer) return { status: 'fixed', body: enrollment.fixedAnswer };
    try {
      return await this.#assign(attested, registrationId, payload);
    } catch (error) {
      const errorCode = error instanceof AllocationFailure ? error.errorCode : HUB_REFUSED;
      const errorMessage = error instanceof Error ? error.message : String(error);
      return { status: 'failed', errorCode, errorMessage, at: this.#options.now() };
    }
  }

  async #assign(attested: Attested, registrationId: string, payload: unknown): Promise<Outcome> {
    const { enrollment, hubAuthentication, proof } = attested;
    const { hubs, allocate, returnPayload, now } = this.#options;
    const current = this.get(registrationId);
    const chosen = await chooseHub({
      enrollment,
      registrationId,
      hubs,
      currentHub: current?.hubHostName,
      payload,
      allocate,
    });
    const deviceId = deviceIdOf(enrollment, registrationId);
    const placement = { hubHostName: chosen.hub.hostName, deviceId };
    const plan = planAssignment(current, placement, enrollment.reprovision);

    await chosen.hub.assign({ deviceId, authentication: hubAuthentication, edge: enrollment.edge });
    const { removed } = plan;
    if (removed) await hubs.find((hub) => isSameHost(hub.hostName, removed.hubHostName))?.remove(removed.deviceId);

    const registration: Registration = {
      registrationId,
      enrollment: enrollmentKey(enrollment),
      ...placement,
      substatus: plan.substatus,
      createdAt: current?.createdAt ?? now(),
      updatedAt: now(),
      revision: (current?.revision ?? 0) + 1,
    };
    this.#options.store.put(REGISTRATIONS, idKey(registrationId), registration);
    this.#registrations.set(idKey(registrationId), registration);
    const returned = chosen.payload ?? returnPayload?.({ registrationId, payload });
    return { status: 'assigned', registration, proof, ...(returned === undefined ? {} : { payload: returned }) };
  }

  #saveOperation(operation: Operation): void {
    this.#options.store.put(OPERATIONS, operation.operationId, operation);
    this.#operations.set(operation.operationId, operation);
  }

  #forgetOldest(registrationId: string): void {
    const own = [...this.#operations.values()].filter(
      (operation) => idKey(operation.registrationId) === idKey(registrationId),
    );
    for (const { operationId } of own.slice(0, Math.max(0, own.length - OPERATIONS_KEPT + 1))) {
      this.#options.store.delete(OPERATIONS, operationId);
      this.#operations.delete(operationId);
    }
  }
}

function idKey(registrationId: string): string {
  return registrationId.toLowerCase();
}
