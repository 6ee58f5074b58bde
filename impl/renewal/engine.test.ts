import { describe, expect, test } from 'vitest';
import { createCounters, createLogger } from '../process/index.ts';
import { type Holding, type Look, parsePolicy, type Renewable, RenewalEngine, type RenewalPolicy } from './index.ts';
import { handClock } from './testing/hand-clock.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.UTC(2026, 5, 1);
const POLICY: RenewalPolicy = { rotateKey: true, threshold: parsePolicy('80%'), retry: parsePolicy('4%') };

/** A certificate in memory whose issuer can be switched off. */
function certificate(id: string, options: { from: number; to: number; lifetime?: number; policy?: RenewalPolicy }) {
  let number = 0;
  const make = (from: number, to: number): Holding => ({
    validity: { notBefore: Math.floor(from / 1000), notAfter: Math.floor(to / 1000) },
    fingerprint: `${id}-${number++}`,
  });
  const item = {
    id,
    policy: options.policy ?? POLICY,
    stored: { kind: 'held', holding: make(options.from, options.to) } as Look,
    renewedAt: [] as number[],
    triedAt: [] as number[],
    fail: undefined as string | undefined,
    hang: false,
    async look() {
      return item.stored;
    },
    async renew(signal: AbortSignal): Promise<Holding> {
      item.triedAt.push(world.clock.now());
      if (item.hang)
        await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
      if (item.fail) throw new Error(item.fail);
      const now = world.clock.now();
      const holding = make(now, now + (options.lifetime ?? options.to - options.from));
      item.stored = { kind: 'held', holding };
      item.renewedAt.push(now);
      return holding;
    },
    replace(from: number, to: number) {
      item.stored = { kind: 'held', holding: make(from, to) };
    },
  };
  return item satisfies Renewable;
}

let world: { clock: ReturnType<typeof handClock>; engine: RenewalEngine; log: string[]; random: number };

function start(items: Renewable[], { now = NOW, random = 0 } = {}) {
  const clock = handClock(now);
  const log: string[] = [];
  const logger = createLogger({ target: 'x', filter: '', write: (line) => log.push(line), now: () => clock.now() });
  const counters = createCounters();
  const engine = new RenewalEngine({ clock, random: () => world.random, log: logger, counters });
  world = { clock, engine, log, random };
  engine.replaceAll(items);
  engine.start();
  return { ...world, counters };
}

const stateOf = (id: string) => world.engine.states().find((state) => state.id === id);

test('RN-014 renewed in the order of their times; a later one is untouched', async () => {
  const [a, b, c] = [10, 5, 50].map((days, index) =>
    certificate(`c${index}`, { from: NOW, to: NOW + days * DAY, lifetime: 100 * DAY }),
  );
  const { clock } = start([a!, b!, c!]);
  await clock.pass(9 * DAY);
  expect([b!.renewedAt, a!.renewedAt, c!.renewedAt]).toEqual([[NOW + 4 * DAY], [NOW + 8 * DAY], []]);
});

test('RN-015 one that is added earlier than the first moves the timer forward', async () => {
  const { clock, engine } = start([certificate('late', { from: NOW, to: NOW + 100 * DAY })]);
  await clock.pass(HOUR);
  const soon = certificate('soon', { from: NOW, to: NOW + 10 * HOUR });
  engine.notice(soon);
  await clock.pass(7 * HOUR);
  expect(soon.renewedAt).toEqual([NOW + 8 * HOUR]);
});

test('RN-016 one that is due when added is renewed at once; time and digest are of the new certificate', async () => {
  const item = certificate('due', { from: NOW - 90 * DAY, to: NOW + 10 * DAY });
  const { clock } = start([item]);
  await clock.pass(0);
  expect(item.renewedAt).toEqual([NOW]);
  expect(stateOf('due')).toMatchObject({ holding: { fingerprint: 'due-1' }, nextAttempt: NOW + 80 * DAY, renewals: 1 });
});

test('RN-018 RN-019 a failure is tried again after the retry period; then the time of the new certificate counts', async () => {
  const item = certificate('c', { from: NOW - 80 * DAY, to: NOW + 20 * DAY });
  item.fail = 'EST says no';
  const { clock } = start([item]);
  await clock.pass(0);
  expect(stateOf('c')).toMatchObject({
    nextAttempt: NOW + 4 * DAY,
    rule: 'retry',
    attempts: 1,
    lastError: 'EST says no',
  });
  item.fail = undefined;
  await clock.pass(4 * DAY);
  expect(stateOf('c')).toMatchObject({
    nextAttempt: NOW + 84 * DAY,
    rule: 'threshold',
    attempts: 0,
    lastError: undefined,
  });
});

test('tries come faster toward the end, go on after it, and are never closer than a second', async () => {
  const item = certificate('c', { from: NOW - 80 * DAY, to: NOW + 20 * DAY });
  item.fail = 'no';
  const { clock } = start([item]);
  await clock.pass(21 * DAY);
  const pauses = item.triedAt.slice(1).map((at, index) => at - item.triedAt[index]!);
  expect(pauses.slice(0, 2)).toEqual([4 * DAY, 4 * DAY]);
  const end = item.triedAt.filter((at) => at < NOW + 20 * DAY);
  const before = pauses.slice(0, end.length - 1);
  expect(before).toEqual([...before].sort((a, b) => b - a));
  expect(before.length).toBeLessThan(50);
  expect(Math.min(...pauses)).toBeGreaterThan(1000);
  expect(NOW + 20 * DAY - end.at(-1)!).toBeLessThan(0.2 * DAY);
  expect(Math.max(...pauses.slice(end.length))).toBeLessThanOrEqual(10 * MINUTE);
  expect(stateOf('c')?.rule).toBe('retry-expired');
});

test('jitter never comes before the deadline and shortens a retry by a tenth at most', async () => {
  const item = certificate('c', { from: NOW, to: NOW + 100 * DAY });
  const { clock } = start([item], { random: 0.999 });
  await clock.pass(0);
  expect(stateOf('c')?.nextAttempt).toBeGreaterThan(NOW + 80 * DAY);
  expect(stateOf('c')?.nextAttempt).toBeLessThanOrEqual(NOW + 80.4 * DAY);
  item.fail = 'no';
  await clock.pass(81 * DAY);
  const [tried] = item.triedAt;
  expect(stateOf('c')?.nextAttempt).toBeGreaterThanOrEqual(tried! + 3.6 * DAY);
  expect(stateOf('c')?.nextAttempt).toBeLessThan(tried! + 3.61 * DAY);
});

test('RN-020 one that cannot be used rests, the others go on', async () => {
  const [bad, good] = [
    certificate('bad', { from: NOW, to: NOW + DAY }),
    certificate('good', { from: NOW, to: NOW + DAY }),
  ];
  bad.stored = { kind: 'unusable', reason: 'file is damaged' };
  const { clock, log } = start([bad, good]);
  await clock.pass(DAY);
  expect([bad.triedAt, good.renewedAt.length]).toEqual([[], 1]);
  expect(stateOf('bad')).toMatchObject({ rule: 'unusable', nextAttempt: undefined, lastError: 'file is damaged' });
  expect(log.filter((line) => line.includes('"bad"'))).toHaveLength(1);
});

test('RN-021 one that somebody replaced is left alone at its time, until it is used again', async () => {
  const item = certificate('c', { from: NOW, to: NOW + 10 * DAY });
  const { clock, engine } = start([item]);
  await clock.pass(DAY);
  item.replace(NOW, NOW + 2 * DAY);
  await clock.pass(20 * DAY);
  expect(item.triedAt).toEqual([]);
  expect(stateOf('c')).toMatchObject({ rule: 'replaced', nextAttempt: undefined });
  engine.notice(item);
  await clock.pass(0);
  expect(item.renewedAt).toHaveLength(1);
});

test('RN-023 a failure that has stored something before it failed does not drop the certificate', async () => {
  const item = certificate('c', { from: NOW - 90 * DAY, to: NOW + 10 * DAY });
  item.fail = 'key move failed';
  const { clock } = start([item]);
  await clock.pass(0);
  item.replace(NOW - 90 * DAY, NOW + 10 * DAY);
  item.fail = undefined;
  await clock.pass(4 * DAY);
  expect(item.renewedAt).toHaveLength(1);
});

test('RN-026 RN-029 an expired one is tried at once and again for ever', async () => {
  const item = certificate('c', { from: NOW - 10 * DAY, to: NOW });
  item.fail = 'down';
  const { clock } = start([item]);
  await clock.pass(30 * DAY);
  expect(item.triedAt.length).toBeGreaterThan(4000);
  item.fail = undefined;
  await clock.pass(10 * MINUTE);
  expect(item.renewedAt).toHaveLength(1);
});

test('RN-028 a new set takes over at once, and what is known stays', async () => {
  const [a, b] = [certificate('a', { from: NOW, to: NOW + DAY }), certificate('b', { from: NOW, to: NOW + DAY })];
  const { clock, engine } = start([a, b]);
  await clock.pass(20 * HOUR);
  engine.replaceAll([{ ...a, policy: { ...POLICY, threshold: parsePolicy('10%') } }]);
  await clock.pass(0);
  expect(engine.states().map(({ id, renewals }) => [id, renewals])).toEqual([['a', 1]]);
  await clock.pass(DAY);
  expect([a.renewedAt.length > 2, b.renewedAt.length]).toEqual([true, 1]);
});

test('RN-039 a threshold that is never left renews at each retry, and says so once', async () => {
  const policy = { ...POLICY, threshold: parsePolicy('400day') };
  const item = certificate('c', { from: NOW, to: NOW + 100 * DAY, policy });
  const { clock, log } = start([item]);
  await clock.pass(12 * DAY);
  expect(item.renewedAt.map((at) => (at - NOW) / DAY)).toEqual([0, 4, 8, 12]);
  expect(log.filter((line) => line.includes('as long as its lifetime'))).toHaveLength(1);
});

describe('clock', () => {
  test('RN-040 set back an hour while waiting: not before the deadline', async () => {
    const item = certificate('c', { from: NOW, to: NOW + 10 * HOUR });
    const { clock } = start([item]);
    await clock.pass(4 * HOUR);
    clock.step(-HOUR);
    await clock.pass(4 * HOUR + 59 * MINUTE);
    expect(item.triedAt).toEqual([]);
    await clock.pass(2 * MINUTE);
    expect(item.renewedAt).toHaveLength(1);
  });

  test.each(['set forward', 'asleep'])('RN-041 %s past the deadline: renewed within minutes', async () => {
    const item = certificate('c', { from: NOW, to: NOW + 100 * DAY });
    const { clock } = start([item]);
    await clock.pass(DAY);
    clock.step(85 * DAY);
    await clock.pass(2 * MINUTE);
    expect(item.renewedAt).toHaveLength(1);
  });

  test('RN-042 sixty days ahead: no early firing, and few wake-ups', async () => {
    const item = certificate('c', { from: NOW, to: NOW + 75 * DAY });
    const { clock } = start([item]);
    await clock.pass(60 * DAY - 1000);
    expect(item.triedAt).toEqual([]);
    expect(clock.sleeps).toBeLessThan(60 * 24 * 60 + 10);
    await clock.pass(1000);
    expect(item.renewedAt).toHaveLength(1);
  });

  test('1970 at boot: nothing is due; the right time is noticed within minutes', async () => {
    const item = certificate('c', { from: NOW - 85 * DAY, to: NOW + 15 * DAY });
    const { clock } = start([item], { now: 0 });
    await clock.pass(10 * DAY);
    expect(item.triedAt).toEqual([]);
    clock.step(NOW - clock.now());
    await clock.pass(2 * MINUTE);
    expect(item.renewedAt).toHaveLength(1);
  });

  test('a clock that was decades ahead for a while does not put a retry off', async () => {
    const item = certificate('c', { from: NOW, to: NOW + 100 * DAY });
    item.fail = 'server certificate is out of date';
    const { clock } = start([item]);
    await clock.pass(DAY);
    clock.step(20 * 365 * DAY);
    await clock.pass(5 * MINUTE);
    expect(item.triedAt.length).toBeGreaterThan(0);
    clock.step(-20 * 365 * DAY);
    item.fail = undefined;
    await clock.pass(15 * MINUTE);
    expect(stateOf('c')).toMatchObject({ rule: 'threshold', nextAttempt: NOW + 80 * DAY, lastError: undefined });
  });
});

test('RN-050 one that hangs holds up nothing, and ends with the engine', async () => {
  const [slow, quick] = [1, 2].map((n) => certificate(`c${n}`, { from: NOW - 9 * HOUR, to: NOW + HOUR }));
  slow!.hang = true;
  const { clock, engine } = start([slow!, quick!]);
  await clock.pass(HOUR);
  expect(quick!.renewedAt.length).toBeGreaterThan(0);
  await engine.close();
});

test('a use joins the renewal under way, and its failure does not put the planned try off', async () => {
  const item = certificate('c', { from: NOW - 85 * DAY, to: NOW + 15 * DAY });
  item.fail = 'no';
  const { clock, engine } = start([item]);
  await clock.pass(DAY);
  const planned = stateOf('c')?.nextAttempt;
  await Promise.all([engine.renewNow('c'), engine.renewNow('c')]);
  expect([item.triedAt.length, stateOf('c')?.nextAttempt]).toEqual([2, planned]);
  engine.notice(item);
  await clock.pass(0);
  expect(stateOf('c')?.nextAttempt).toBe(planned);
  item.fail = undefined;
  await engine.renewNow('c');
  expect(stateOf('c')?.rule).toBe('threshold');
  await engine.renewNow('not there');
});

test('a thousand certificates renew within a day without one that ends, and are counted', async () => {
  const items = Array.from({ length: 1000 }, (_, n) =>
    certificate(`c${n}`, { from: NOW - n * MINUTE, to: NOW + DAY - n * MINUTE + HOUR, lifetime: DAY }),
  );
  const { clock, counters } = start(items, { random: 0.5 });
  await clock.pass(DAY);
  expect(items.filter(({ renewedAt }) => renewedAt.length === 0)).toEqual([]);
  const counted = counters.values().filter(({ name }) => name === 'renewal_successes');
  expect(counted.reduce((sum, { value }) => sum + value, 0)).toBe(
    items.reduce((sum, { renewedAt }) => sum + renewedAt.length, 0),
  );
});
