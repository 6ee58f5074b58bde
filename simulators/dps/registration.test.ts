import { expect, test } from 'vitest';
import { type Operation, type Outcome, pollOperation } from './registration.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');

function operation(outcome: Outcome, assigningPollsLeft = 0): Operation {
  return {
    operationId: '5.a.b',
    registrationId: 'Reg-01',
    credential: 'c',
    startedAt: NOW,
    assigningPollsLeft,
    outcome,
  };
}

const assigned: Outcome = {
  status: 'assigned',
  registration: {
    registrationId: 'Reg-01',
    enrollment: 'individual/reg-01',
    hubHostName: 'hub1.iot.test:8443',
    deviceId: 'Dev-A',
    substatus: 'initialAssignment',
    createdAt: NOW,
    updatedAt: NOW,
    revision: 1,
  },
  proof: { symmetricKey: {} },
  payload: { returned: 1 },
};

test('assigning is answered as often as asked for, then the same end for ever', () => {
  let current = operation(assigned, 2);
  const seen: unknown[] = [];
  for (let i = 0; i < 5; i += 1) {
    const { next, answer } = pollOperation(current);
    seen.push([answer.status, (answer.body as { status: string }).status]);
    current = next;
  }
  expect(seen).toEqual([
    [202, 'assigning'],
    [202, 'assigning'],
    [200, 'assigned'],
    [200, 'assigned'],
    [200, 'assigned'],
  ]);
});

test('while assigning the state names the registration', () => {
  expect(pollOperation(operation(assigned, 1)).answer.body).toEqual({
    operationId: '5.a.b',
    status: 'assigning',
    registrationState: { registrationId: 'Reg-01', status: 'assigning' },
  });
});

test('an assignment has every member of the service', () => {
  expect(pollOperation(operation(assigned)).answer.body).toEqual({
    operationId: '5.a.b',
    status: 'assigned',
    registrationState: {
      symmetricKey: {},
      registrationId: 'Reg-01',
      createdDateTimeUtc: '2026-01-01T00:00:00.0000000Z',
      assignedHub: 'hub1.iot.test:8443',
      deviceId: 'Dev-A',
      status: 'assigned',
      substatus: 'initialAssignment',
      lastUpdatedDateTimeUtc: '2026-01-01T00:00:00.0000000Z',
      etag: 'IjEi',
      payload: { returned: 1 },
    },
  });
});

test('a failure carries code and text, a disabled enrolment its status, a fixed answer its own words', () => {
  const failed = operation({ status: 'failed', errorCode: 400208, errorMessage: 'no', at: NOW });
  expect(pollOperation(failed).answer).toEqual({
    status: 200,
    body: {
      operationId: '5.a.b',
      status: 'failed',
      registrationState: {
        registrationId: 'Reg-01',
        status: 'failed',
        errorCode: 400208,
        errorMessage: 'no',
        lastUpdatedDateTimeUtc: '2026-01-01T00:00:00.0000000Z',
      },
    },
  });
  expect(pollOperation(operation({ status: 'disabled' })).answer.body).toEqual({
    operationId: '5.a.b',
    status: 'disabled',
    registrationState: { registrationId: 'Reg-01', status: 'disabled' },
  });
  expect(pollOperation(operation({ status: 'fixed', body: { status: 'odd' } })).answer.body).toEqual({ status: 'odd' });
});
