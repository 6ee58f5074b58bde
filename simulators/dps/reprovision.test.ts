import { expect, test } from 'vitest';
import type { Registration } from './registration.ts';
import { planAssignment } from './reprovision.ts';

const current: Registration = {
  registrationId: 'Reg-01',
  enrollment: 'individual/reg-01',
  hubHostName: 'hub1.iot.test',
  deviceId: 'Dev-A',
  substatus: 'initialAssignment',
  createdAt: 0,
  updatedAt: 0,
  revision: 1,
};
const here = { hubHostName: 'HUB1.iot.test', deviceId: 'Dev-A' };
const there = { hubHostName: 'hub2.iot.test', deviceId: 'Dev-A' };
const renamed = { hubHostName: 'hub1.iot.test', deviceId: 'Dev-B' };
const removed = { hubHostName: 'hub1.iot.test', deviceId: 'Dev-A' };
const migrate = { updateHubAssignment: true, migrateDeviceData: true };
const reset = { updateHubAssignment: true, migrateDeviceData: false };
const keep = { updateHubAssignment: false, migrateDeviceData: false };

test.each([
  ['a new device', undefined, here, migrate, { substatus: 'initialAssignment' }],
  ['the same hub', current, here, migrate, { substatus: 'initialAssignment' }],
  ['the same hub, with reset', current, here, reset, { substatus: 'deviceDataReset' }],
  ['the same hub, never reassessed', current, here, keep, { substatus: 'reprovisionedToInitialAssignment' }],
  ['another hub', current, there, migrate, { substatus: 'deviceDataMigrated', removed }],
  ['another hub, with reset', current, there, reset, { substatus: 'deviceDataReset', removed }],
  ['another device id', current, renamed, migrate, { substatus: 'initialAssignment', removed }],
])('%s', (_, before, next, policy, plan) => {
  expect(planAssignment(before, next, policy)).toEqual(plan);
});
