import { afterEach, describe, expect, it } from 'vitest';
import {
  configureIdentityd,
  configureKeyd,
  createIdentityWorld,
  enrolSymmetric,
  type IdentityWorld,
  symmetricProvisioning,
} from './identity-world.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const IN_LINE = 'Identity reconciliation complete.';
const DEVICE = ['identityd', 'POST', '/identities/device', { type: 'aziot' }] as const;
const MODULE = ['identityd', 'GET', '/identities/modules/m1?type=aziot'] as const;
const STATUS = ['identityd', 'GET', '/identities/provisioning?status=true'] as const;

async function makeWorld(options?: Parameters<typeof createIdentityWorld>[0]): Promise<IdentityWorld> {
  const world = await createIdentityWorld(options);
  closing.push(() => world.close());
  await configureKeyd(world);
  return world;
}

async function provisioned(): Promise<IdentityWorld> {
  const world = await makeWorld();
  enrolSymmetric(world);
  await configureIdentityd(world, symmetricProvisioning(world), ['m1']);
  await world.start('keyd');
  await world.start('identityd');
  await world.logs('identityd', IN_LINE);
  return world;
}

describe('attempts that are repeated', () => {
  it('CL-044: a second attempt carries a token of its own, not that of the first', async () => {
    const world = await provisioned();
    const unavailable = { kind: 'status', status: 503, headers: { 'retry-after': '2' } } as const;
    world.hub.faults.add({ fault: unavailable, where: '/modules/m1', times: 1 });
    world.hub.journal.clear();
    expect((await world.call(...MODULE)).status).toBe(200);
    const [first, second, ...more] = world.hub.journal.list();
    const [early = 0, late = 0] = [first, second].map((seen) =>
      Number(/&se=(\d+)/.exec(seen?.headers.find(([name]) => name === 'authorization')?.[1] ?? '')?.[1]),
    );
    expect(more).toEqual([]);
    expect(late - early).toBeGreaterThanOrEqual(2);
  });

  it.each([
    ['CL-045: a minute and up to ten seconds where the service names no time', {}, 60, 70],
    ['CL-049: as long as Retry-After says', { 'retry-after': '600' }, 600, 601],
  ])('a hub that throttles is left alone: %s', async (_, headers, least, most) => {
    const world = await provisioned();
    world.hub.faults.add({ fault: { kind: 'status', status: 429, headers }, where: '/modules/m1' });
    world.hub.journal.clear();
    const hangUp = new AbortController();
    const asked = world.call(...MODULE, undefined, hangUp.signal).catch(() => undefined);
    await world.logs('identityd', 'HTTP request throttled (attempt 1 of 5). sleeping for ');
    const seconds = Number(/throttled .*sleeping for (\d+) seconds/.exec(world.log('identityd'))?.[1]);
    expect([seconds >= least, seconds <= most]).toEqual([true, true]);
    await new Promise((done) => setTimeout(done, 2000));
    expect(world.hub.journal.list()).toHaveLength(1);
    expect((await world.call(...DEVICE)).status).toBe(200);
    hangUp.abort();
    await asked;
  });

  it('CL-049: an attempt to provision waits as long as Retry-After of the refusal says', async () => {
    const world = await makeWorld();
    await configureIdentityd(world, symmetricProvisioning(world), []);
    const body = '{"errorCode":401002,"message":"Unauthorized"}';
    world.dps.faults.add({ fault: { kind: 'status', status: 401, headers: { 'retry-after': '600' }, body } });
    await world.start('keyd');
    await world.start('identityd');
    await world.logs('identityd', 'Failed to provision');
    const { state, nextAttempt } = (await world.call(...STATUS)).body.status;
    const away = (Date.parse(nextAttempt) - Date.now()) / 1000;
    expect([state, away > 590 && away <= 601]).toEqual(['waiting', true]);
  });

  it('CL-014, CL-026, CL-047: eight polls of DPS, each with a token of its own', async () => {
    const world = await makeWorld({ dps: { assigningPolls: 7 } });
    enrolSymmetric(world);
    await configureIdentityd(world, symmetricProvisioning(world), []);
    await world.start('keyd');
    await world.start('identityd');
    expect((await world.call(...DEVICE)).body.spec.deviceId).toBe('Dev-A');
    const polls = world.dps.journal.list().filter(({ method }) => method === 'GET');
    expect(polls.map(({ status }) => status)).toEqual([...Array(7).fill(202), 200]);
    const tokens = polls.map(({ headers }) => headers.find(([name]) => name === 'authorization')?.[1]);
    expect(new Set(tokens).size).toBe(8);
  });
});
