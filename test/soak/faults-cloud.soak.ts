import { describe, expect, it } from 'vitest';
import { createFaultCloud } from '../support/fault-cloud.ts';
import { faultRun } from '../support/fault-run.ts';

/** Begins elsewhere with FAULT_SEED; a failing run names its seed: `FAULT_SEED=n FAULT_RUNS=1` plays it alone. */
const FIRST = Number(process.env['FAULT_SEED'] ?? 1);
const RUNS = Number(process.env['FAULT_RUNS'] ?? 5000);
/** A simulated world lives some years; its authorities ten. */
const BLOCK = 100;

describe('provision, reconcile, reprovision under random faults of DPS and hub', () => {
  for (let from = FIRST; from < FIRST + RUNS; from += BLOCK) {
    const to = Math.min(from + BLOCK, FIRST + RUNS) - 1;
    it(`seeds ${from} to ${to}: provisioned at the end, and the hub's modules are the configured ones`, async () => {
      const cloud = await createFaultCloud();
      try {
        for (let seed = from; seed <= to; seed++) await faultRun(cloud, seed);
        expect(cloud.clock.now()).toBeGreaterThan(Date.now());
      } finally {
        await cloud.close();
      }
    });
  }
});
