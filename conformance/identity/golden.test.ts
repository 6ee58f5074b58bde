import { afterAll, describe, expect, test } from 'vitest';
import { Context, goldenGroup, judge, launchFromEnv } from '../runner/index.ts';
import { goldenIdentity } from './golden-identity.ts';

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

const { name, requirements } = await goldenGroup(goldenIdentity);
describe(name, () => {
  for (const requirement of requirements)
    test(requirement.id, async (task) => {
      const { result, reason } = await judge(context, name, requirement);
      if (result === 'skipped') task.skip(reason);
      expect(reason).toBeUndefined();
    });
});
