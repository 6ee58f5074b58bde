import { afterAll, describe, expect, test } from 'vitest';
import { Context, judge, launchFromEnv, registryDefects } from '../runner/index.ts';
import { edgeChecklist, edgeGroups } from './index.ts';

test('each id of the checklist has a handler, recorded exchanges or a reason', () => {
  expect(registryDefects(edgeGroups, [edgeChecklist])).toEqual([]);
});

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

for (const { name, requirements } of edgeGroups)
  describe(name, () => {
    for (const requirement of requirements)
      test(`${requirement.id} ${requirement.text}`, async (task) => {
        const { result, reason } = await judge(context, name, requirement);
        if (result === 'skipped') task.skip(reason);
        expect(reason).toBeUndefined();
      });
  });
