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
const launch = launchFromEnv();
const context = new Context(launch);
// where all daemons share one place, one world at a time is all there can be
const isShared = launch.fixedSockets !== undefined || launch.running !== undefined;
afterAll(async () => {
  await context.dispose();
  await area.end();
});

for (const group of await groupsOf(area)) {
  const requirements = group.requirements.filter(({ id }) => wanted.has(id));
  if (requirements.length === 0) continue;
  const apart = group.besideEachOther === true && !isShared;
  describe(group.name, () => {
    for (const requirement of requirements)
      test(requirement.id, { concurrent: apart }, async ({ task, skip }) => {
        const own = apart ? new Context(launch) : context;
        const outcome = await judge(own, group.name, requirement);
        if (apart) await own.dispose();
        task.meta.outcome = outcome;
        if (outcome.result === 'skipped') skip(outcome.reason);
        if (outcome.result === 'failed') throw new Error(outcome.reason);
      });
  });
}
