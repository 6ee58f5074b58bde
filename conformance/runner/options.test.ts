import { expect, test } from 'vitest';
import { isWanted, readOptions } from './options.ts';

test('an unknown daemon and an unknown option are refused by name', () => {
  expect(() => readOptions(['--daemon', 'mqttd'])).toThrow(/mqttd/);
  expect(() => readOptions(['--frobnicate'])).toThrow(/frobnicate/);
});

test('ids and daemon both narrow what is asked', () => {
  const options = readOptions(['--daemon', 'keyd', 'TR', 'KS-04']);
  expect(['TR-001/keyd', 'TR-001/certd', 'KS-043', 'KS-051', 'CS-043'].filter((id) => isWanted(options, id))).toEqual([
    'TR-001/keyd',
    'KS-043',
  ]);
});
