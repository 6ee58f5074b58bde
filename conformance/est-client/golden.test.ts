import { afterAll, describe, expect, test } from 'vitest';
import { Context, judge, launchFromEnv } from '../runner/index.ts';
import { goldenEstWire, isAlone } from './golden-est-wire.ts';

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

describe(goldenEstWire.name, () => {
  for (const requirement of goldenEstWire.requirements.filter(({ id }) => !isAlone(id)))
    test(requirement.id, async (task) => {
      const { result, reason } = await judge(context, goldenEstWire.name, requirement);
      if (result === 'skipped') task.skip(reason);
      expect(reason).toBeUndefined();
    });
});
