import { serviceTime } from './errors.ts';

export type Substatus =
  | 'initialAssignment'
  | 'deviceDataMigrated'
  | 'deviceDataReset'
  | 'reprovisionedToInitialAssignment';

/** Where a device was assigned, kept from one registration to the next. Times in milliseconds since 1970. */
export interface Registration {
  registrationId: string;
  enrollment: string;
  hubHostName: string;
  deviceId: string;
  substatus: Substatus;
  createdAt: number;
  updatedAt: number;
  revision: number;
}

/** How an operation ends. */
export type Outcome =
  | { status: 'assigned'; registration: Registration; proof: object; payload?: unknown }
  | { status: 'failed'; errorCode: number; errorMessage: string; at: number }
  | { status: 'disabled' }
  | { status: 'fixed'; body: Record<string, unknown> };

/**
 * One registration under way. It belongs to the registration id and to the credential that started it: a poll with
 * another credential does not see it (spec cloud.md 9.8).
 */
export interface Operation {
  operationId: string;
  registrationId: string;
  credential: string;
  /** Milliseconds since 1970. */
  startedAt: number;
  assigningPollsLeft: number;
  outcome: Outcome;
}

/** What one poll of an operation answers. */
export interface PollAnswer {
  status: 200 | 202;
  body: object;
}

/**
 * Answers a poll and gives the operation as it stands after it. While polls are left it stays `assigning`, then the
 * outcome is answered for every further poll.
 */
export function pollOperation(operation: Operation): { next: Operation; answer: PollAnswer } {
  if (operation.assigningPollsLeft > 0) {
    const { operationId, registrationId } = operation;
    return {
      next: { ...operation, assigningPollsLeft: operation.assigningPollsLeft - 1 },
      answer: {
        status: 202,
        body: { operationId, status: 'assigning', registrationState: { registrationId, status: 'assigning' } },
      },
    };
  }
  return { next: operation, answer: { status: 200, body: finalBody(operation) } };
}

function finalBody({ operationId, registrationId, outcome }: Operation): object {
  switch (outcome.status) {
    case 'fixed':
      return outcome.body;
    case 'disabled':
      return { operationId, status: 'disabled', registrationState: { registrationId, status: 'disabled' } };
    case 'failed': {
      const { status, errorCode, errorMessage, at } = outcome;
      return {
        operationId,
        status,
        registrationState: { registrationId, status, errorCode, errorMessage, lastUpdatedDateTimeUtc: serviceTime(at) },
      };
    }
    case 'assigned':
      return { operationId, status: outcome.status, registrationState: assignedState(outcome) };
  }
}

function assignedState({ registration, proof, payload }: Extract<Outcome, { status: 'assigned' }>): object {
  return {
    ...proof,
    registrationId: registration.registrationId,
    createdDateTimeUtc: serviceTime(registration.createdAt),
    assignedHub: registration.hubHostName,
    deviceId: registration.deviceId,
    status: 'assigned',
    substatus: registration.substatus,
    lastUpdatedDateTimeUtc: serviceTime(registration.updatedAt),
    etag: Buffer.from(`"${registration.revision}"`).toString('base64'),
    ...(payload === undefined ? {} : { payload }),
  };
}
