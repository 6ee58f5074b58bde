import { expect, test } from 'vitest';
import { groupsOf, loadArea } from '../suite/index.ts';
import type { Context } from './context.ts';
import type { Scenario } from './golden.ts';
import { goldenGroups } from './golden-group.ts';
import type { World } from './world.ts';

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

test.each([
  ['its chain', {}, ['a/1', 'b/1', 'a/2']],
  ['its scene', { scene: ({ id }: { id: string }) => id.slice(0, 1) }, ['a/1', 'a/2']],
])('an exchange that is run alone has those of %s before it replayed first, once', async (_, more, replayed) => {
  const seen: string[] = [];
  const factStep = ({ id }: { id: string }) => {
    return async () => {
      seen.push(id);
      if (id === 'a/1') throw new Error('what it rests on differs');
    };
  };
  const [group] = await goldenGroups({ ...scenario, ...more, file: 'x', factStep });
  const world = {} as World;
  const context = { needRoot: () => undefined, shared: async () => world } as unknown as Context;
  const run = (id: string) => group?.requirements.find((each) => each.id === `x#${id}`)?.run(context);
  await run('a/2');
  expect(seen).toEqual(replayed);
  await run('b/2');
  expect(seen.toSorted()).toEqual(['a/1', 'a/2', 'b/1', 'b/2']);
});

test('the cases of an EST client that wait may be judged at the same time', async () => {
  const groups = await groupsOf(await loadArea('est-client'));
  const names = groups.filter(({ besideEachOther }) => besideEachOther).map(({ name }) => name);
  expect(names).toEqual(['EST client', 'EST renewal', 'golden est-wire: alone']);
});
