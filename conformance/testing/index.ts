import { afterAll, describe, expect, test } from 'vitest';
import { type Checklist, Context, type Group, judge, launchFromEnv, registryDefects } from '../runner/index.ts';

/** Declares the tests of an area: its checklist is accounted for, and each requirement is met by the daemons of the environment. */
export function testRequirements(groups: readonly Group[], checklist: Checklist): void {
  test('each id of the checklist has a handler, recorded exchanges or a reason', () => {
    expect(registryDefects(groups, [checklist])).toEqual([]);
  });

  const context = new Context(launchFromEnv());
  afterAll(() => context.dispose());

  for (const { name, requirements } of groups)
    describe(name, () => {
      for (const requirement of requirements)
        test(`${requirement.id} ${requirement.text}`, async (task) => {
          const { result, reason } = await judge(context, name, requirement);
          if (result === 'skipped') task.skip(reason);
          expect(reason).toBeUndefined();
        });
    });
}
