import { afterAll, describe, expect, test } from 'vitest';
import {
  type Checklist,
  Context,
  type Group,
  goldenGroup,
  judge,
  launchFromEnv,
  type Requirement,
  registryDefects,
  type Scenario,
} from '../runner/index.ts';

/** Declares the tests of an area: its checklist is accounted for, and each requirement is met by the daemons of the environment. */
export function testRequirements(groups: readonly Group[], checklist: Checklist): void {
  test('each id of the checklist has a handler, recorded exchanges or a reason', () => {
    expect(registryDefects(groups, [checklist])).toEqual([]);
  });

  testGroups(groups, ({ id, text }) => `${id} ${text}`);
}

/** Declares the tests of recordings: one for each exchange, in its order. */
export async function testGolden(...scenarios: readonly Scenario[]): Promise<void> {
  testGroups(await Promise.all(scenarios.map(goldenGroup)), ({ id }) => id);
}

function testGroups(groups: readonly Group[], title: (requirement: Requirement) => string): void {
  const context = new Context(launchFromEnv());
  afterAll(() => context.dispose());

  for (const { name, requirements } of groups)
    describe(name, () => {
      for (const requirement of requirements)
        test(title(requirement), async (task) => {
          const { result, reason } = await judge(context, name, requirement);
          if (result === 'skipped') task.skip(reason);
          expect(reason).toBeUndefined();
        });
    });
}
