import assert from 'node:assert/strict';
import { deviceKeyOf, expectDpsError, needed } from '../azure/index.ts';
import { type Context, group } from '../runner/index.ts';
import { assigned, dpsOf, poll, register, tokenOf } from './device.ts';

async function member(context: Context) {
  const dps = await dpsOf(context);
  return { dps, ...needed(context, dps.group, 'group') };
}

export const keyGroups = group('DPS groups by symmetric key', {
  'DPS-040': [
    'a device of a group signs with the key that is derived for its id, and is called by its registration id',
    'azure-docs',
    async (context) => {
      const { dps, groupKey, registrationId } = await member(context);
      const primaryKey = deviceKeyOf(groupKey, registrationId);
      const state = await assigned(dps, registrationId, { token: tokenOf(dps, { registrationId, primaryKey }) });
      assert.equal(state['deviceId'], registrationId);
      const { enrollmentGroupId } = (state['symmetricKey'] ?? {}) as { enrollmentGroupId?: unknown };
      assert.equal(typeof enrollmentGroupId, 'string', `symmetricKey.enrollmentGroupId in ${JSON.stringify(state)}`);
    },
  ],
  'DPS-041': [
    'the key of the group itself is refused with 401',
    'spec',
    async (context) => {
      const { dps, groupKey, registrationId } = await member(context);
      const token = tokenOf(dps, { registrationId, primaryKey: groupKey });
      expectDpsError(await poll(dps, registrationId, 'none', { token }), 401);
    },
  ],
  'DPS-042': [
    'the key derived for another id is refused with 401',
    'spec',
    async (context) => {
      const { dps, groupKey, registrationId } = await member(context);
      const token = tokenOf(dps, { registrationId, primaryKey: deviceKeyOf(groupKey, `${registrationId}x`) });
      expectDpsError(await poll(dps, registrationId, 'none', { token }), 401);
    },
  ],
  'DPS-043': [
    'an individual enrolment decides alone: a group does not let in whom a disabled one keeps out',
    'azure-docs',
    async (context) => {
      const { dps, groupKey } = await member(context);
      const { registrationId } = needed(context, dps.disabledBeforeGroup, 'disabledBeforeGroup');
      const token = tokenOf(dps, { registrationId, primaryKey: deviceKeyOf(groupKey, registrationId) });
      expectDpsError(await register(dps, registrationId, { token }), 401);
    },
  ],
});
