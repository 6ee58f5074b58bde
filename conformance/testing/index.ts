import { afterAll, describe, expect, test } from 'vitest';
import {
  type Checklist,
  Context,
  type Group,
  goldenGroups,
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
  testGroups((await Promise.all(scenarios.map(goldenGroups))).flat(), ({ id }) => id);
}

/** Declares a test for each requirement of these groups; they run at the same time where a group says that its cases may. */
export function testGroups(
  groups: readonly Group[],
  title: (requirement: Requirement) => string,
  end: () => Promise<void> = async () => {},
): void {
  const shared = new Context(launchFromEnv());
  afterAll(async () => {
    await shared.dispose();
    await end();
  });

  for (const { name, requirements, besideEachOther: concurrent = false } of groups)
    describe(name, () => {
      for (const requirement of requirements)
        test(title(requirement), { concurrent }, async (task) => {
          const context = concurrent ? new Context(launchFromEnv()) : shared;
          const { result, reason } = await judge(context, name, requirement);
          if (concurrent) await context.dispose();
          if (result === 'skipped') task.skip(reason);
          expect(reason).toBeUndefined();
        });
    });
}
