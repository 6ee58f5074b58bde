import type { Context } from './context.ts';
import { GoldenRun, type Scenario } from './golden.ts';
import type { RecordedExchange } from './golden-file.ts';
import type { Group } from './requirement.ts';
import type { World } from './world.ts';

/** A chain of a golden file as a group: one requirement an exchange (`keys-files#version-missing`), run in the order of the file. */
export async function goldenGroups(scenario: Scenario): Promise<Group[]> {
  const { exchanges } = await GoldenRun.load(scenario);
  const chains = [...new Set(exchanges.map((exchange) => scenario.chain?.(exchange)))];
  return Promise.all(chains.map((chain) => chainGroup(scenario, chain)));
}

/** Replays, once in each world, what an exchange rests on, so that it can be run alone; what differs there is not its fault. */
function leadingUp(run: GoldenRun, chain: readonly RecordedExchange[]) {
  const { scene, skip } = run.scenario;
  const replayed = new WeakMap<World, Set<string>>();
  return async (world: World, exchange: RecordedExchange): Promise<void> => {
    const done = replayed.get(world) ?? new Set();
    replayed.set(world, done);
    for (const before of chain.slice(0, chain.indexOf(exchange))) {
      if (done.has(before.id) || skip?.(before) || scene?.(before) !== scene?.(exchange)) continue;
      done.add(before.id);
      await run.replay(world, before).catch(() => undefined);
    }
    done.add(exchange.id);
  };
}

async function chainGroup(scenario: Scenario, chain: string | undefined): Promise<Group> {
  const run = await GoldenRun.load(scenario);
  const inChain = run.exchanges.filter((exchange) => scenario.chain?.(exchange) === chain);
  const leadUp = leadingUp(run, inChain);
  const name = chain === undefined ? `golden ${scenario.file}` : `golden ${scenario.file}: ${chain}`;
  const shared = { name, build: scenario.build.bind(scenario) };
  return {
    name,
    requirements: inChain.map((exchange) => ({
      id: `${scenario.file}#${exchange.id}`,
      text: `${exchange.section}: answered as recorded`,
      source: 'reference-run' as const,
      async run(context: Context) {
        context.needRoot();
        const lacks = scenario.lacks?.();
        if (lacks) context.skip(lacks.reason, lacks.need);
        const reason = scenario.skip?.(exchange);
        if (reason) context.skip(reason);
        const world = await context.shared(shared);
        await leadUp(world, exchange);
        await run.replay(world, exchange);
      },
    })),
  };
}
