import { afterAll, describe, expect, test } from 'vitest';
import { Context, judge, launchFromEnv, registryDefects } from '../runner/index.ts';
import { keysChecklist, keysGroups } from './index.ts';

test('each id of the checklist has a handler, recorded exchanges or a reason', () => {
  expect(registryDefects(keysGroups, [keysChecklist])).toEqual([]);
});

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

for (const { name, requirements } of keysGroups)
  describe(name, () => {
    for (const requirement of requirements)
      test(`${requirement.id} ${requirement.text}`, async (task) => {
        const { result, reason } = await judge(context, name, requirement);
        if (result === 'skipped') task.skip(reason);
        expect(reason).toBeUndefined();
      });
  });
