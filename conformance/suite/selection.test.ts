import { expect, test } from 'vitest';
import { loadAreas } from './areas.ts';
import { LONG, longestFirst, select } from './selection.ts';

async function idsOf(...only: readonly string[]): Promise<string[]> {
  const parts = await select(await loadAreas(), { profiles: [], only });
  return parts.flatMap(({ groups }) => groups.flatMap(({ requirements }) => requirements.map(({ id }) => id)));
}

test('a requirement is chosen by its number, and so are the cases that judge it where it has none', async () => {
  expect(await idsOf('EDGE-029/no-agent')).toEqual(['EDGE-029/no-agent']);
  expect(await idsOf('KS-001')).toEqual(['keys-files#version-missing']);
  expect(await idsOf('CS-058')).toEqual(['TR-044/certd']);
});

test('a pattern that chooses nothing is an error', async () => {
  await expect(idsOf('KS-999')).rejects.toThrow('no id fits "KS-999"; see --list');
});

test('a run begins what takes long, and every name of a long part is that of one', async () => {
  const parts = await select(await loadAreas(), { profiles: [], only: [] });
  const ordered = longestFirst(parts);
  expect(ordered.slice(0, LONG.length).map(({ name }) => name)).toEqual(LONG);
  expect(new Set(ordered)).toEqual(new Set(parts));
});
