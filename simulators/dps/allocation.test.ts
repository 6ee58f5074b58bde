import { expect, test, vi } from 'vitest';
import { type Allocate, AllocationFailure, chooseHub } from './allocation.ts';
import { type AllocationPolicy, enrollmentSettings, type IndividualEnrollment } from './enrollment.ts';
import type { HubLink } from './hub-link.ts';

const hub = (hostName: string): HubLink => ({ hostName, assign: async () => {}, remove: async () => {} });
const hubs = [hub('hub1.iot.test'), hub('hub2.iot.test'), hub('hub3.iot.test')];

function enrollment(allocation: AllocationPolicy, settings: Partial<IndividualEnrollment> = {}): IndividualEnrollment {
  return {
    kind: 'individual',
    registrationId: 'Reg-01',
    attestation: { type: 'symmetricKey', primaryKey: '', secondaryKey: '' },
    ...enrollmentSettings({ allocation, ...settings }),
  };
}

const choose = (
  chosen: IndividualEnrollment,
  options: { currentHub?: string; allocate?: Allocate; registrationId?: string } = {},
) =>
  chooseHub({
    enrollment: chosen,
    registrationId: options.registrationId ?? 'Reg-01',
    hubs,
    currentHub: options.currentHub,
    payload: { a: 1 },
    allocate: options.allocate,
  });

test('hashed allocation is stable, ignores the case of the id and reaches every hub', async () => {
  const first = await choose(enrollment('hashed'));
  expect((await choose(enrollment('hashed'), { registrationId: 'REG-01' })).hub).toBe(first.hub);
  const reached = await Promise.all(
    Array.from({ length: 60 }, (_, i) => choose(enrollment('hashed'), { registrationId: `r${i}` })),
  );
  expect(new Set(reached.map((choice) => choice.hub)).size).toBe(3);
});

test('static allocation takes the first named hub', async () => {
  expect((await choose(enrollment('static', { hubs: ['HUB3.iot.test', 'hub1.iot.test'] }))).hub).toBe(hubs[2]);
});

test('a policy that keeps the assignment keeps it, while the hub is linked', async () => {
  const keep = enrollment('static', { reprovision: { updateHubAssignment: false, migrateDeviceData: false } });
  expect((await choose(keep, { currentHub: 'hub2.iot.test' })).hub).toBe(hubs[1]);
  expect((await choose(keep, { currentHub: 'gone.iot.test' })).hub).toBe(hubs[0]);
});

test('custom allocation gets the payload and the current hub, and its payload comes back', async () => {
  const allocate = vi.fn<Allocate>(() => ({ hubHostName: 'hub2.iot.test', payload: { b: 2 } }));
  const chosen = await choose(enrollment('custom'), { allocate, currentHub: 'hub1.iot.test' });
  expect(chosen).toEqual({ hub: hubs[1], payload: { b: 2 } });
  expect(allocate).toHaveBeenCalledWith({
    registrationId: 'Reg-01',
    enrollment: 'Reg-01',
    linkedHubs: hubs.map((linked) => linked.hostName),
    currentHub: 'hub1.iot.test',
    payload: { a: 1 },
  });
});

test.each<[string, number, IndividualEnrollment, Allocate | undefined]>([
  ['no linked hub fits', 400209, enrollment('hashed', { hubs: ['other.iot.test'] }), undefined],
  ['no callback is set', 400207, enrollment('custom'), undefined],
  ['the callback throws', 400207, enrollment('custom'), () => Promise.reject(new Error('refused'))],
  ['the callback names no hub', 400208, enrollment('custom'), () => ({}) as never],
  [
    'the callback names a hub that is not linked',
    400209,
    enrollment('custom'),
    () => ({ hubHostName: 'other.iot.test' }),
  ],
])('%s: the registration fails', async (_, errorCode, chosen, allocate) => {
  const failure = await choose(chosen, allocate ? { allocate } : {}).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(AllocationFailure);
  expect(failure).toMatchObject({ errorCode });
});
