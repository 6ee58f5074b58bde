import { expect, test } from 'vitest';
import { group, registryDefects } from '../runner/index.ts';
import { areaOf, loadAreas } from './areas.ts';

test('a door is parted by the ends of its names', () => {
  const one = group('one', {});
  const area = areaOf('x', { xGroups: [one], xChecklist: { prefix: 'X', count: 0, without: {} }, helper: () => 1 });
  expect([area.groups, area.golden, area.checklists.map(({ prefix }) => prefix)]).toEqual([[one], [], ['X']]);
});

test('each id of each checklist has a case, recorded exchanges or a reason, and no case is outside its checklist', async () => {
  const areas = await loadAreas();
  const groups = areas.flatMap((area) => area.groups);
  expect(areas.map(({ name }) => name)).toContain('keys');
  expect(
    registryDefects(
      groups,
      areas.flatMap(({ checklists }) => checklists),
    ),
  ).toEqual([]);
});
