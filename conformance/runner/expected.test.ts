import { expect, test } from 'vitest';
import { groupsOf, loadAreas } from '../suite/index.ts';
import { expectedOfRust, loadExpected } from './expected.ts';

test('each expected difference of the reference is about a case that there is, once, and says what it does', async () => {
  const groups = (await Promise.all((await loadAreas()).map(groupsOf))).flat();
  const ids = new Set(groups.flatMap(({ requirements }) => requirements.map(({ id }) => id)));
  const differences = await loadExpected(expectedOfRust());
  expect(differences.filter(({ id }) => !ids.has(id))).toEqual([]);
  expect(new Set(differences.map(({ id }) => id)).size).toBe(differences.length);
  expect(differences.filter(({ why }) => why.length < 10)).toEqual([]);
});

test('each expected difference says what the reference does, not only what is asked for', async () => {
  const differences = await loadExpected(expectedOfRust());
  expect(differences.filter(({ why }) => why.startsWith('answers as recorded; asked for'))).toEqual([]);
});
