import { expect, test } from 'vitest';
import { deriveDeviceKey, groupDeviceKeys } from './device-key.ts';

const GROUP_KEY = Buffer.alloc(32, 2).toString('base64');

test('CL-031 the vector of the spec', () => {
  expect(deriveDeviceKey(GROUP_KEY, 'dev-01')).toBe('u9S0bQ0Pq6eNprkzCY9t5BGT4Haa+m7bdgevd+Fb2Fc=');
});

test('the vector of the service documentation', () => {
  const groupKey = '8isrFI1sGsIlvvFSSFRiMfCNzv21fjbE/+ah/lSh3lF8e2YG1Te7w1KpZhJFFXJrqYKi9yegxkqIChbqOS9Egw==';
  const id = 'sn-007-888-abc-mac-a1-b2-c3-d4-e5-f6';
  expect(deriveDeviceKey(groupKey, id)).toBe('Jsm0lyGpjaVYVP2g3FnmnmG9dI/9qU24wNoykUmermc=');
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
