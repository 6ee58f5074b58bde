import { afterAll, beforeAll, describe, test } from 'vitest';
import { GoldenRun, launchFromEnv, World } from '../runner/index.ts';
import { KEYS_GOLDEN } from './golden-keys.ts';
import { checkNumbers } from './recorded.ts';
import { STORE_NAMES, STORES } from './stores.ts';

const isRoot = process.geteuid?.() === 0;

describe.each(STORE_NAMES)('keyd on %s answers as recorded', (name) => {
  const scenario = KEYS_GOLDEN[name];
  const reason = isRoot ? STORES[name].whyNot() : 'needs root, to call as other uids';
  const title = reason === undefined ? '' : ` (skipped: ${reason})`;
  let run: GoldenRun;
  let world: World;
  describe.skipIf(reason !== undefined)(`${scenario.file}${title}`, async () => {
    run = await GoldenRun.load(scenario);
    beforeAll(async () => {
      world = await World.create(launchFromEnv());
      await scenario.build(world);
    });
    afterAll(() => world?.dispose());
    for (const exchange of run.exchanges)
      test(
        `${checkNumbers(exchange.id)
          .map((number) => `KS-${String(number).padStart(3, '0')}/${name} `)
          .join('')}${exchange.id}`,
        () => run.replay(world, exchange),
        30_000,
      );
  });
});
