import { afterAll, describe, expect, test } from 'vitest';
import { Context, judge, launchFromEnv, registryDefects } from '../runner/index.ts';
import { tpmChecklist, tpmGroups } from './index.ts';

test('each id of the checklist has a handler, recorded exchanges or a reason', () => {
  expect(registryDefects(tpmGroups, [tpmChecklist])).toEqual([]);
});

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

for (const { name, requirements } of tpmGroups)
  describe(name, () => {
    for (const requirement of requirements)
      test(`${requirement.id} ${requirement.text}`, async (task) => {
        const { result, reason } = await judge(context, name, requirement);
        if (result === 'skipped') task.skip(reason);
        expect(reason).toBeUndefined();
      });
  });
