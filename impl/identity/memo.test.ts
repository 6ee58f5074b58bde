import { expect, it } from 'vitest';
import { createMemo } from './memo.ts';

it('asks once a moment, shares a running question, and keeps no failure', async () => {
  let now = 0;
  const memo = createMemo<number>(() => now, 1000);
  let asked = 0;
  const ask = async () => ++asked;
  expect(await Promise.all([memo.get('a', ask), memo.get('a', ask)])).toEqual([1, 1]);
  now = 999;
  expect(await memo.get('a', ask)).toBe(1);
  expect(await memo.get('b', ask)).toBe(2);
  now = 1000;
  expect(await memo.get('a', ask)).toBe(3);
  memo.forget('a');
  expect(await memo.get('a', ask)).toBe(4);
  memo.clear();
  await expect(memo.get('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await memo.get('a', ask)).toBe(5);
});

it('a clock that is set back makes nothing last longer, and what is kept stays bounded', async () => {
  let now = 10_000;
  const memo = createMemo<number>(() => now, 1000);
  let asked = 0;
  const ask = async () => ++asked;
  await memo.get('a', ask);
  now = 5000;
  expect(await memo.get('a', ask)).toBe(2);
  for (let key = 0; key < 5000; key++) await memo.get(String(key), ask);
  expect(await memo.get('a', ask)).toBe(5003);
});
