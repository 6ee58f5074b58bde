import { expect, test } from 'vitest';
import { groupsOf, loadArea } from '../suite/index.ts';
import type { Scenario } from './golden.ts';
import { goldenGroups } from './golden-group.ts';

const scenario: Scenario = {
  file: 'keys-files',
  load: async () => ['a/1', 'b/1', 'a/2', 'b/2'].map((id) => ({ id, section: id, facts: {} })),
  build: async () => undefined,
};

const idsOf = async (each: Scenario) =>
  (await goldenGroups(each)).map(({ name, requirements }) => [name, ...requirements.map(({ id }) => id)]);

test('a recording without chains is one group, in its order', async () => {
  expect(await idsOf({ ...scenario, file: 'x' })).toEqual([['golden x', 'x#a/1', 'x#b/1', 'x#a/2', 'x#b/2']]);
});

test('each chain of a recording is a group of its own, in the order of the recording', async () => {
  const chain = ({ id }: { id: string }) => id.slice(0, 1);
  expect(await idsOf({ ...scenario, file: 'x', chain })).toEqual([
    ['golden x: a', 'x#a/1', 'x#a/2'],
    ['golden x: b', 'x#b/1', 'x#b/2'],
  ]);
});

test('the cases of an EST client that wait may be judged at the same time', async () => {
  const groups = await groupsOf(await loadArea('est-client'));
  const names = groups.filter(({ besideEachOther }) => besideEachOther).map(({ name }) => name);
  expect(names).toEqual(['EST client', 'EST renewal', 'golden est-wire: alone']);
});
