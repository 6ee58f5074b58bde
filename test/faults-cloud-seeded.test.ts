import { afterAll, beforeAll, expect, it } from 'vitest';
import { createFaultCloud, type FaultCloud } from './support/fault-cloud.ts';
import { faultRun } from './support/fault-run.ts';

/** A sample of the runs of `npm run soak`; another one with FAULT_SEED. */
const FIRST = Number(process.env['FAULT_SEED'] ?? 1);
const RUNS = Number(process.env['FAULT_RUNS'] ?? 60);

let cloud: FaultCloud;
beforeAll(async () => {
  cloud = await createFaultCloud();
});
afterAll(() => cloud.close());

it(`seeds ${FIRST} to ${FIRST + RUNS - 1}: after faults and a quiet period the device is provisioned and its modules are the configured ones`, async () => {
  for (let seed = FIRST; seed < FIRST + RUNS; seed++) await faultRun(cloud, seed);
  expect(cloud.clock.now()).toBeGreaterThan(Date.now());
});
