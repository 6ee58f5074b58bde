import { afterAll, expect, test } from 'vitest';
import { Context, launchFromEnv, registryDefects } from '../runner/index.ts';
import { keysChecklist, keysGroups } from './index.ts';
import { partOf, testsOf } from './tests-of.ts';

test('each id of the checklist has a handler, recorded exchanges or a reason', () => {
  expect(registryDefects(keysGroups, [keysChecklist])).toEqual([]);
});

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

for (const { title, run } of testsOf(context, partOf('rest'))) test(title, run);
