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

/**
 * Declares the tests of an area: its checklists are accounted for, and each requirement is met by what the environment names. `end` ends what
 * the area started.
 */
export function testRequirements(
  groups: readonly Group[],
  checklists: Checklist | readonly Checklist[],
  end?: () => Promise<void>,
): void {
  test('each id of the checklist has a handler, recorded exchanges or a reason, and none has two handlers', () => {
    expect(registryDefects(groups, [checklists].flat())).toEqual([]);
  });

  testGroups(groups, ({ id, text }) => `${id} ${text}`, end);
}

/** Declares the tests of recordings: one for each exchange, in its order. */
export async function testGolden(...scenarios: readonly Scenario[]): Promise<void> {
  testGroups(await Promise.all(scenarios.map(goldenGroup)), ({ id }) => id);
}

/** Declares a test for each requirement of these groups. */
export function testGroups(
  groups: readonly Group[],
  title: (requirement: Requirement) => string,
  end: () => Promise<void> = async () => {},
): void {
  const context = new Context(launchFromEnv());
  afterAll(async () => {
    await context.dispose();
    await end();
  });

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

/** Declares tests that run beside each other, each in a world of its own: they wait for processes and times more than they work. */
export function testBesideEachOther(group: string, requirements: readonly Requirement[]): void {
  describe(group, () => {
    for (const requirement of requirements)
      test.concurrent(`${requirement.id} ${requirement.text}`, async (task) => {
        const context = new Context(launchFromEnv());
        const { result, reason } = await judge(context, group, requirement).finally(() => context.dispose());
        if (result === 'skipped') task.skip(reason);
        expect(reason).toBeUndefined();
      });
  });
}
