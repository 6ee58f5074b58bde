import type { Context } from './context.ts';
import { GoldenRun, type Scenario } from './golden.ts';
import type { Group } from './requirement.ts';

/** A chain of a golden file as a group: one requirement an exchange (`keys-files#version-missing`), run in the order of the file. */
export async function goldenGroups(scenario: Scenario): Promise<Group[]> {
  const { exchanges } = await GoldenRun.load(scenario);
  const chains = [...new Set(exchanges.map((exchange) => scenario.chain?.(exchange)))];
  return Promise.all(chains.map((chain) => chainGroup(scenario, chain)));
}

async function chainGroup(scenario: Scenario, chain: string | undefined): Promise<Group> {
  const run = await GoldenRun.load(scenario);
  const name = chain === undefined ? `golden ${scenario.file}` : `golden ${scenario.file}: ${chain}`;
  const shared = { name, build: scenario.build.bind(scenario) };
  return {
    name,
    requirements: run.exchanges
      .filter((exchange) => scenario.chain?.(exchange) === chain)
      .map((exchange) => ({
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
