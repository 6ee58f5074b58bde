import { expect, test } from 'vitest';
import vectors from '../../fixtures/vectors/device-keys.json' with { type: 'json' };
import { deriveDeviceKey, groupDeviceKeys } from './device-key.ts';

const GROUP_KEY = Buffer.alloc(32, 2).toString('base64');

test.each(vectors.cases)('CL-031 the vector for $registrationId', ({ groupKey, registrationId, deviceKey }) => {
  expect(deriveDeviceKey(groupKey, registrationId)).toBe(deviceKey);
});

test('an id with capitals may be derived from in both spellings', () => {
  const group = { primaryKey: GROUP_KEY, secondaryKey: Buffer.alloc(32, 3).toString('base64') };
  const pairs = groupDeviceKeys(group, 'Dev-01');
  expect(pairs.map((pair) => pair.primaryKey)).toEqual([
    deriveDeviceKey(GROUP_KEY, 'Dev-01'),
    deriveDeviceKey(GROUP_KEY, 'dev-01'),
  ]);
  expect(groupDeviceKeys(group, 'dev-01')).toHaveLength(1);
});
