import { afterAll, beforeAll, expect, it } from 'vitest';
import { CHANGES } from '../kill-at-write/changes.ts';
import { eventsOf, killAt, orderFaults } from '../kill-at-write/kill-rounds.ts';
import { KilledKeyd } from '../kill-at-write/killed-keyd.ts';

let keyd: KilledKeyd;
beforeAll(async () => {
  keyd = new KilledKeyd();
  await keyd.startEmpty();
});
afterAll(() => keyd?.close());

it.each(CHANGES.map((change) => [change.name, change] as const))(
  'KS-094 %s, killed before and after every write',
  async (_name, change) => {
    const events = await eventsOf(keyd, change);
    expect(orderFaults(events)).toEqual([]);
    // more events than were counted: work of the background may come between
    for (let event = 0; event < events.length + 2; event += 1) await killAt(keyd, change, event);
  },
);
