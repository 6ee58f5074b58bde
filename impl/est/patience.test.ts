import { beforeEach, describe, expect, test } from 'vitest';
import { HttpsError } from '../https/index.ts';
import { enrol, good, hex, NOW, posts, renewWorld, world } from './testing/client-world.ts';

beforeEach(renewWorld);

describe('patience', () => {
  test('EST-019 a postponed enrolment is asked for again with the same request', async () => {
    const wait = () => ({ status: 202, headers: { 'retry-after': '7' } });
    const waitDate = () => ({ status: 202, headers: { 'retry-after': new Date(NOW + 9000).toUTCString() } });
    const waitDefault = () => ({ status: 202 });
    const waitLong = () => ({ status: 202, headers: { 'retry-after': '999999' } });
    world.answers.simpleenroll = [wait, waitDate, waitDefault, waitLong, () => good(world.leaf)];
    let told = 0;
    expect(await enrol({ onPostponed: () => told++ })).toEqual([world.leaf, world.ca].map(hex));
    expect(world.slept).toEqual([7000, 9000, 60_000, 3_600_000]);
    expect(new Set(posts().map((one) => one.body)).size).toBe(1);
    expect(told).toBe(4);
  });

  test('a server that postpones for ever is given up', async () => {
    world.answers.simpleenroll = [() => ({ status: 202, headers: { 'retry-after': '1' } })];
    await expect(enrol()).rejects.toThrow('postponed');
    expect(posts().length).toBeLessThan(100);
  });

  test('a server error is tried again a few times', async () => {
    world.answers.simpleenroll = [() => ({ status: 503 }), () => good(world.leaf)];
    expect(await enrol()).toHaveLength(2);
    world.answers.simpleenroll = [() => ({ status: 500 })];
    await expect(enrol()).rejects.toThrow('answered 500');
    expect(posts()).toHaveLength(2 + 3);
  });

  test('a busy server is waited for as it asks, for ten seconds at most; pauses vary by a quarter', async () => {
    const busy = (seconds: string) => () => ({ status: 503, headers: { 'retry-after': seconds } });
    world.answers.simpleenroll = [busy('7'), () => ({ status: 502 }), () => good(world.leaf)];
    await enrol();
    expect(world.slept).toEqual([7000, 3000]);
    world.answers.simpleenroll = [busy('11')];
    await expect(enrol()).rejects.toThrow('answered 503');
    expect(posts()).toHaveLength(4);
  });

  test.each(['not-connected', 'closed'] as const)('%s is tried again', async (kind) => {
    world.answers.simpleenroll = [
      () => {
        throw new HttpsError(kind, 'no');
      },
      () => good(world.leaf),
    ];
    expect(await enrol()).toHaveLength(2);
  });

  test.each(['untrusted-server', 'client-credential', 'timed-out'] as const)('EST-027 %s is final', async (kind) => {
    world.answers.simpleenroll = [
      () => {
        throw new HttpsError(kind, 'no');
      },
    ];
    await expect(enrol()).rejects.toMatchObject({ kind });
    expect(posts()).toHaveLength(1);
  });

  test('every exchange has limits', async () => {
    await enrol();
    for (const one of world.sent) expect(one).toMatchObject({ connectTimeoutMs: 15_000, totalTimeoutMs: 60_000 });
  });

  test('passwords never reach the log', async () => {
    world.answers.simpleenroll = [() => ({ status: 500 })];
    await enrol({ basic: { username: 'u', password: 'sesame' } }).catch(() => undefined);
    expect(world.log.length).toBeGreaterThan(0);
    expect(world.log.join()).not.toMatch(new RegExp(`sesame|${Buffer.from('u:sesame').toString('base64')}`));
  });
});
