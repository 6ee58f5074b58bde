import { describe, expect, test } from 'vitest';
import {
  DEFAULT_POLICY,
  formatPolicy,
  isAlwaysDue,
  isDue,
  type Policy,
  parsePolicy,
  retryPeriod,
  scheduleOf,
} from './index.ts';

const percent = (value: number): Policy => ({ kind: 'percent', percent: value });
const seconds = (value: number): Policy => ({ kind: 'time', seconds: value });
const validity = (notBefore: number, notAfter: number) => ({ notBefore, notAfter });
const policy = (threshold: Policy, retry: Policy) => ({ rotateKey: true, threshold, retry });

test.each([
  ['80%', percent(80)],
  ['1%', percent(1)],
  ['99%', percent(99)],
  ['100min', seconds(6000)],
  ['+5min', seconds(300)],
  ['10day', seconds(864_000)],
])('RN-001 %s is a policy', (text, expected) => {
  expect(parsePolicy(text)).toEqual(expected);
});

test.each([
  '',
  'a%',
  'day',
  '1year',
  '0%',
  '100%',
  '101%',
  '0min',
  '-5day',
  '5m',
  '5 min',
  '1.5day',
  '1days',
  '1DAY',
  '1e2min',
])('RN-002 "%s" is none', (text) => {
  expect(() => parsePolicy(text)).toThrow('no renewal policy');
});

test('a time that overflows is refused as too long', () => {
  for (const text of ['9223372036854775807day', '153722867280912931min']) {
    expect(() => parsePolicy(text)).toThrow(expect.objectContaining({ fault: 'too-long' }));
  }
});

test('RN-003 policies are written back', () => {
  expect([seconds(86_460), seconds(259_200), percent(80)].map(formatPolicy)).toEqual(['1441min', '3day', '80%']);
});

test('RN-005 the default is 80 %, 4 %, with a new key', () => {
  expect(DEFAULT_POLICY).toEqual({ rotateKey: true, threshold: percent(80), retry: percent(4) });
});

describe('due', () => {
  test.each([
    [percent(40), true],
    [percent(50), true],
    [percent(60), false],
    [seconds(1), false],
    [seconds(3), true],
  ])('RN-007 certificate -5 to -1 at -3 with %o: %s', (threshold, due) => {
    expect(isDue(validity(-5, -1), threshold, -3)).toBe(due);
  });

  test('RN-008 certificate 1 to 5 at 3', () => {
    expect([percent(50), percent(60)].map((threshold) => isDue(validity(1, 5), threshold, 3))).toEqual([true, false]);
  });

  test('RN-009 an end before the beginning is always due and cannot be scheduled', () => {
    expect(isDue(validity(5, 1), percent(99), -100)).toBe(true);
    expect(() => scheduleOf(validity(5, 1), DEFAULT_POLICY, 0)).toThrow('not valid any more');
  });

  test('RN-010 the second of the end counts as expired', () => {
    expect(isDue(validity(0, 10), seconds(0), 10)).toBe(true);
    expect(() => scheduleOf(validity(0, 10), DEFAULT_POLICY, 10)).toThrow('not valid any more');
  });

  test('a beginning in the future is not due', () => {
    expect(isDue(validity(100, 200), percent(1), 0)).toBe(false);
  });
});

describe('schedule', () => {
  test.each([
    ['RN-011', validity(-5, 5), policy(percent(60), percent(20)), { next: 1, retry: 2 }],
    ['time', validity(-5, 5), policy(seconds(1), seconds(1)), { next: 4, retry: 1 }],
    ['RN-012', validity(-60, 40), policy(percent(50), percent(4)), { next: 4, retry: 4 }],
    ['early', validity(-50, 50), policy(percent(80), percent(4)), { next: 30, retry: 4 }],
  ])('%s', (_name, range, rules, expected) => {
    expect(scheduleOf(range, rules, 0)).toEqual(expected);
  });

  test('RN-013 a retry share below one second is one second', () => {
    expect(retryPeriod(validity(0, 10), percent(4))).toBe(1);
  });

  test('RN-039 a threshold as long as the lifetime is never left', () => {
    expect(isAlwaysDue(validity(0, 90 * 86_400), parsePolicy('400day'))).toBe(true);
    expect(isAlwaysDue(validity(0, 90 * 86_400), parsePolicy('89day'))).toBe(false);
  });
});
