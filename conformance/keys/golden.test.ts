import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { GoldenRun, launchFromEnv, type Scenario, World } from '../runner/index.ts';
import { goldenFiles, goldenSofthsm } from './golden-keys.ts';

const isRoot = process.geteuid?.() === 0;
const softhsm = existsSync('/usr/lib/softhsm/libsofthsm2.so');

async function replay(scenario: Scenario): Promise<void> {
  const run = await GoldenRun.load(scenario);
  let world: World;
  beforeAll(async () => {
    world = await World.create(launchFromEnv());
    await scenario.build(world);
  });
  afterAll(() => world?.dispose());
  for (const exchange of run.exchanges)
    test(`${scenario.file} ${exchange.id}`, () => run.replay(world, exchange), 30_000);
}

describe.skipIf(!isRoot)('keyd on files answers as recorded (needs root, to call as other uids)', () =>
  replay(goldenFiles),
);
describe.skipIf(!isRoot || !softhsm)('keyd on a SoftHSM token answers as recorded (needs root and softhsm2)', () =>
  replay(goldenSofthsm),
);
