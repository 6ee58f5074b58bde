import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CHANGES } from './kill-at-write/changes.ts';
import { eventsOf, killAt, orderFaults } from './kill-at-write/kill-rounds.ts';
import { KilledKeyd } from './kill-at-write/killed-keyd.ts';

const SEED = Number(process.env['KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const POINTS = 2;
const hasCompiler = existsSync('/usr/bin/gcc');

/** Numbers from 0 to below `count`, in the order of a seed (mulberry32). */
function sample(seed: number, count: number, wanted: number): number[] {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const left = Array.from({ length: count }, (_, index) => index);
  return Array.from(
    { length: Math.min(wanted, count) },
    () => left.splice(Math.floor(next() * left.length), 1)[0] ?? 0,
  );
}

describe.skipIf(!hasCompiler)(
  `keyd killed at its writes, seed ${SEED} (skipped without gcc); npm run soak takes all`,
  () => {
    let keyd: KilledKeyd;
    beforeAll(async () => {
      keyd = new KilledKeyd();
      await keyd.startEmpty();
    });
    afterAll(() => keyd?.close());

    it.each(CHANGES.map((change) => [change.name, change] as const))(
      'KS-094 %s: the old state or the new one, and no unfinished file',
      async (_name, change) => {
        const events = await eventsOf(keyd, change);
        expect(events.length).toBeGreaterThanOrEqual(4);
        expect(orderFaults(events)).toEqual([]);
        for (const event of sample(SEED, events.length, POINTS)) await killAt(keyd, change, event);
      },
    );
  },
);
