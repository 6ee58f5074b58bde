import type { Context } from './context.ts';
import { GoldenRun, type Scenario } from './golden.ts';
import type { Group } from './requirement.ts';

/** A golden file as a group: one requirement an exchange (`keys-files#version-missing`), run in the order of the file. */
export async function goldenGroup(scenario: Scenario): Promise<Group> {
  const run = await GoldenRun.load(scenario);
  const shared = { name: `golden ${scenario.file}`, build: scenario.build.bind(scenario) };
  return {
    name: `golden ${scenario.file}`,
    requirements: run.exchanges.map((exchange) => ({
      id: `${scenario.file}#${exchange.id}`,
      text: `${exchange.section}: answered as recorded`,
      source: 'reference-run' as const,
      async run(context: Context) {
        context.needRoot();
        const lacks = scenario.lacks?.();
        if (lacks) context.skip(lacks.reason, lacks.need);
        const reason = scenario.skip?.(exchange);
        if (reason) context.skip(reason);
        await run.replay(await context.shared(shared), exchange);
      },
    })),
  };
}
