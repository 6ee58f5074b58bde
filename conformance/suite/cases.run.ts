import { afterAll, describe, inject, test } from 'vitest';
import { Context, judge, launchFromEnv, type Outcome } from '../runner/index.ts';
import { groupsOf, loadArea } from './areas.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The area of this run, and the ids of the cases to judge. */
    conformance: { readonly area: string; readonly ids: readonly string[] };
  }
  interface TaskMeta {
    outcome?: Outcome;
  }
}

const { area: name, ids } = inject('conformance');
const area = await loadArea(name);
const wanted = new Set(ids);
const context = new Context(launchFromEnv());
afterAll(async () => {
  await context.dispose();
  await area.end();
});

for (const group of await groupsOf(area)) {
  const requirements = group.requirements.filter(({ id }) => wanted.has(id));
  if (requirements.length === 0) continue;
  describe(group.name, () => {
    for (const requirement of requirements)
      test(requirement.id, async ({ task, skip }) => {
        const outcome = await judge(context, group.name, requirement);
        task.meta.outcome = outcome;
        if (outcome.result === 'skipped') skip(outcome.reason);
        if (outcome.result === 'failed') throw new Error(outcome.reason);
      });
  });
}
