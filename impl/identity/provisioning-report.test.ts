import { afterEach, describe, expect, it } from 'vitest';
import type { Settings } from './settings.ts';
import { createWorld, DPS, type Running, type World } from './testing/world.ts';

const worlds: World[] = [];
afterEach(() => Promise.all(worlds.splice(0).map((world) => world.close())));

const READY = 'Starting server...';

async function makeWorld(over: Partial<Settings> = {}): Promise<World> {
  const world = await createWorld(over);
  worlds.push(world);
  return world;
}

const info = async (daemon: Running, query = '') =>
  (await daemon.call(4999, 'GET', `/identities/provisioning${query}`)).body;
const status = async (daemon: Running) => (await info(daemon, '?status=true')).status;
const TIME = /^2026-01-\d\dT\d\d:\d\d:\d\dZ$/;

describe('what GET /identities/provisioning says of the state', () => {
  it('is one member more, and only where it is asked for', async () => {
    const world = await makeWorld();
    const daemon = await world.start();
    await daemon.logs(READY);
    expect(await info(daemon)).toEqual({ source: 'manual', auth: 'sas' });
    expect(await info(daemon, '?status=false')).toEqual({ source: 'manual', auth: 'sas' });
    const { status: told, ...documented } = await info(daemon, '?status=true');
    expect(documented).toEqual({ source: 'manual', auth: 'sas' });
    expect(told).toEqual({
      state: 'provisioned',
      since: expect.stringMatching(TIME),
      lastError: null,
      running: null,
      nextAttempt: null,
      nextRenewal: null,
      clockAheadSeconds: null,
    });
  });

  it('names the last error and the next attempt while there is no device, and neither afterwards', async () => {
    const world = await makeWorld({ provisioning: DPS });
    world.cloud.script = () => ({ status: 401, body: { errorCode: 401002, message: 'Unauthorized' } });
    const daemon = await world.start();
    await daemon.logs('Failed to provision with IoT Hub');
    const told = await status(daemon);
    expect(told).toMatchObject({
      state: 'waiting',
      lastError: { message: 'Unauthorized', time: expect.stringMatching(TIME) },
      nextAttempt: expect.stringMatching(TIME),
    });
    expect(Date.parse(told.nextAttempt) - Date.parse(told.lastError.time)).toBeGreaterThanOrEqual(4000);
    world.cloud.script = undefined;
    await daemon.logs(READY);
    expect(await status(daemon)).toMatchObject({ state: 'provisioned', lastError: null, nextAttempt: null });
  });

  it('keeps its state and says what is wrong when the modules cannot be brought in line', async () => {
    const world = await makeWorld();
    world.cloud.script = () => ({ fails: 'untrusted-server' });
    const daemon = await world.start();
    await daemon.logs('Failed to bring the modules in line');
    expect(await status(daemon)).toMatchObject({
      state: 'provisioned',
      lastError: { message: 'exchange untrusted-server' },
    });
  });

  it('source "none" is unused', async () => {
    const world = await makeWorld({ provisioning: { source: 'none', gateway: undefined } });
    const daemon = await world.start();
    expect(await info(daemon, '?status=true')).toMatchObject({ source: 'none', status: { state: 'unused' } });
  });

  it('CL-049: the next attempt is not before what Retry-After asked for', async () => {
    const world = await makeWorld({ provisioning: DPS });
    world.cloud.script = () => ({ status: 503, headers: { 'retry-after': '7200' } });
    const daemon = await world.start();
    await daemon.logs('Failed to provision with IoT Hub');
    const { lastError, nextAttempt } = await status(daemon);
    expect(Date.parse(nextAttempt) - Date.parse(lastError.time)).toBeGreaterThanOrEqual(7_200_000 - 1000);
  });
});

describe('the age of an answer from the cache', () => {
  const modules = [{ uid: 4001, name: 'm1', idTypes: ['module'] as const, localPurpose: undefined }];

  it('IS-077: the hub away: own identity and list say how long ago the hub said so', async () => {
    const world = await makeWorld({ principals: modules });
    const daemon = await world.start();
    await daemon.logs(READY);
    expect((await daemon.call(4001, 'GET', '/identities/identity')).headers).toBeUndefined();
    world.cloud.script = () => ({ fails: 'not-connected' });
    for (const target of ['/identities/identity', '/identities/modules/m1?type=aziot']) {
      const { status: code, headers } = await daemon.call(4001, 'GET', target);
      expect([code, Number(headers?.['age']) >= 0]).toEqual([200, true]);
    }
    expect((await daemon.call(0, 'GET', '/identities/modules?type=aziot')).headers?.['age']).toMatch(/^\d+$/);
  });

  it('IS-077: an answer that is preferred from the cache says so too', async () => {
    const world = await makeWorld({ principals: modules, preferModuleCache: true });
    const daemon = await world.start();
    await daemon.logs(READY);
    world.cloud.lines.length = 0;
    expect((await daemon.call(4001, 'GET', '/identities/identity')).headers?.['age']).toMatch(/^\d+$/);
    expect(world.cloud.lines).toEqual([]);
  });
});
