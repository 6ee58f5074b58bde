import { afterAll, describe, expect, test } from 'vitest';
import { Context, judge, launchFromEnv, registryDefects } from '../runner/index.ts';
import { endTarget, estGroups } from './index.ts';

test('no id has two handlers', () => {
  expect(registryDefects(estGroups, [])).toEqual([]);
});

const context = new Context(launchFromEnv());
afterAll(endTarget);

for (const { name, requirements } of estGroups)
  describe(name, () => {
    for (const requirement of requirements)
      test(`${requirement.id} ${requirement.text}`, async (task) => {
        const { result, reason } = await judge(context, name, requirement);
        if (result === 'skipped') task.skip(reason);
        expect(reason).toBeUndefined();
      });
  });
