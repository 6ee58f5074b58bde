import { expect, test } from 'vitest';
import { type Difference, orAsRecorded } from './golden-differences.ts';

const difference: Difference = { file: 'keys-files', id: 'create', why: 'keys-service.md 4, stricter: refused' };
const fails = () => {
  throw new Error('status 200 instead of 401');
};

test('a failure of an answer that is the recorded one says so, and what is asked for', () => {
  expect(() => orAsRecorded(difference, () => true, fails)).toThrow(
    'answers as recorded; asked for is: keys-service.md 4, stricter: refused\nstatus 200 instead of 401',
  );
});

test('another failure is left as it is, and what holds is no failure', () => {
  expect(() => orAsRecorded(difference, () => false, fails)).toThrow(/^status 200 instead of 401$/);
  expect(() =>
    orAsRecorded(
      difference,
      () => true,
      () => {},
    ),
  ).not.toThrow();
});
