import { expect, it } from 'vitest';
import { createLogger } from '../process/index.ts';
import { createClockWatch } from './clock-watch.ts';

const REAL = Date.UTC(2026, 0, 1);
const date = new Date(REAL).toUTCString();

it('says once that the clock is wrong, again when it is wrong otherwise, and when it is right', () => {
  let now = REAL + 119_000;
  const logged: string[] = [];
  const log = createLogger({ target: 't', filter: 'info', write: (line) => logged.push(line.trimEnd()), now: () => 0 });
  const watch = createClockWatch({ now: () => now, sleep: async () => undefined }, log);
  watch.observe('hub', date);
  watch.observe('hub', undefined);
  watch.observe('hub', 'yesterday');
  expect([watch.wrongBy(), logged]).toEqual([undefined, []]);
  now = REAL - 3600_000;
  watch.observe('hub', date);
  watch.observe('hub', date);
  expect(watch.wrongBy()).toBe(-3600);
  expect(logged).toHaveLength(1);
  expect(logged[0]).toContain('The clock of this device is 3600 seconds behind that of hub; set it');
  now = REAL + 86_400_000;
  watch.observe('hub', date);
  expect(logged[1]).toContain('86400 seconds ahead of that of hub');
  now = REAL;
  watch.observe('hub', date);
  expect(logged[2]).toContain('right again');
  expect(watch.wrongBy()).toBeUndefined();
});
