import { afterAll, describe, expect, test } from 'vitest';
import { Context, goldenGroup, judge, launchFromEnv } from '../runner/index.ts';
import { certificatesGolden } from './index.ts';

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

for (const { name, requirements } of await Promise.all(certificatesGolden.map(goldenGroup)))
  describe(name, () => {
    for (const requirement of requirements)
      test(requirement.id, async (task) => {
        const { result, reason } = await judge(context, name, requirement);
        if (result === 'skipped') task.skip(reason);
        expect(reason).toBeUndefined();
      });
  });
