import { afterAll, describe, expect, test } from 'vitest';
import { Context, judge, launchFromEnv } from '../runner/index.ts';
import { goldenEstWire } from './golden-est-wire.ts';

const context = new Context(launchFromEnv());
afterAll(() => context.dispose());

/** A third of the scenarios, as each start of the daemons takes its time; `aziot-conformance` plays all. */
const sample = goldenEstWire.requirements.filter((_, index) => index % 3 === 0);

describe(goldenEstWire.name, () => {
  for (const requirement of sample)
    test(requirement.id, async (task) => {
      const { result, reason } = await judge(context, goldenEstWire.name, requirement);
      if (result === 'skipped') task.skip(reason);
      expect(reason).toBeUndefined();
    });
});
