import { createServer } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import {
  configureIdentityd,
  configureKeyd,
  createIdentityWorld,
  enrolSymmetric,
  type IdentityWorld,
  manualProvisioning,
  registerManual,
  symmetricProvisioning,
} from './identity-world.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const READY = 'Starting server...';
const IN_LINE = 'Identity reconciliation complete.';
const DEVICE = ['identityd', 'POST', '/identities/device', { type: 'aziot' }] as const;
const REPROVISION = ['identityd', 'POST', '/identities/device/reprovision'] as const;
const MODULE = ['identityd', 'GET', '/identities/modules/m1?type=aziot'] as const;
const STATUS = ['identityd', 'GET', '/identities/provisioning?status=true'] as const;

async function makeWorld(options?: Parameters<typeof createIdentityWorld>[0]): Promise<IdentityWorld> {
  const world = await createIdentityWorld(options);
  closing.push(() => world.close());
  await configureKeyd(world);
  return world;
}

async function provisioned(modules: readonly string[] = ['m1']): Promise<IdentityWorld> {
  const world = await makeWorld();
  enrolSymmetric(world);
  await configureIdentityd(world, symmetricProvisioning(world), modules);
  await world.start('keyd');
  await world.start('identityd');
  await world.logs('identityd', IN_LINE);
  return world;
}

const create = (world: IdentityWorld, moduleId: string) =>
  world.call('identityd', 'POST', '/identities/modules', { type: 'aziot', moduleId });

describe('a reprovision call that fails', () => {
  it('IS-055: with a manual device costs neither device_info nor the cache, over a kill too', async () => {
    const world = await makeWorld();
    registerManual(world);
    await configureIdentityd(world, manualProvisioning(world.hub.hostName), ['m1']);
    await world.start('keyd');
    await world.start('identityd');
    await world.logs('identityd', IN_LINE);
    const before = await world.read('identityd-home/device_info');
    const { genId } = (await world.call(...MODULE)).body.spec;
    world.hub.faults.add({ fault: { kind: 'reset' } });
    expect((await world.call(...REPROVISION)).status).toBe(404);
    expect(await world.read('identityd-home/device_info')).toBe(before);
    await world.stop('identityd', 'SIGKILL');
    await world.start('identityd');
    expect((await world.call(...DEVICE)).status).toBe(200);
    await world.logs('identityd', 'Network not available');
    const offline = await world.call(...MODULE);
    expect(offline.body.spec.genId).toBe(genId);
    expect(offline.headers['age']).toMatch(/^\d+$/);
    world.hub.faults.clear();
    expect((await world.call(...REPROVISION)).status).toBe(204);
    const online = await world.call(...MODULE);
    expect([online.body.spec.genId, online.headers['age']]).toEqual([genId, undefined]);
  });
});

describe('the network at start', () => {
  it('IS-053: a reset after TLS in the second reconciliation does not end the daemon', async () => {
    const world = await provisioned();
    await world.stop('identityd');
    world.hub.faults.add({
      fault: { kind: 'status', status: 401, body: '{"Message":"no"}' },
      where: '/modules',
      times: 1,
    });
    world.hub.faults.add({ fault: { kind: 'reset' }, where: '/modules' });
    await world.start('identityd');
    await world.logs('identityd', 'The hub refused this device, it is provisioned anew');
    await world.logs('identityd', 'Network not available');
    expect((await world.call(...DEVICE)).body.spec.deviceId).toBe('Dev-A');
    expect((await world.call(...STATUS)).body.status).toMatchObject({ state: 'provisioned' });
    world.hub.faults.clear();
    expect((await world.call(...REPROVISION)).status).toBe(204);
  });

  it('IS-053: a reset after TLS at the first start ends nothing: a manual device serves, its modules follow', async () => {
    const world = await makeWorld();
    registerManual(world);
    await configureIdentityd(world, manualProvisioning(world.hub.hostName), ['m1']);
    world.hub.faults.add({ fault: { kind: 'reset' } });
    await world.start('keyd');
    await world.start('identityd');
    await world.logs('identityd', 'Network not available');
    expect((await world.call(...DEVICE)).body.spec.deviceId).toBe('Dev-01');
    world.hub.faults.clear();
    expect((await world.call(...REPROVISION)).status).toBe(204);
    expect((await world.call(...MODULE)).body.spec.moduleId).toBe('m1');
  });
});

describe('who is spoken to', () => {
  it('an http:// endpoint gets no connection, let alone a token', async () => {
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      socket.destroy();
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    closing.push(() => new Promise((done) => server.close(done)));
    const address = server.address();
    const port = typeof address === 'object' ? address?.port : 0;
    const world = await makeWorld();
    const provisioning = symmetricProvisioning(world).replace(world.dps.url, `http://127.0.0.1:${port}/`);
    await configureIdentityd(world, provisioning, []);
    await world.start('keyd');
    await world.start('identityd');
    await world.logs('identityd', 'must be an https address');
    expect((await world.call(...STATUS)).body.status.state).toBe('waiting');
    expect(connections).toBe(0);
  });

  it('CL-009: a hub whose certificate is for another name is an error of its own, not "offline", and gets no request', async () => {
    const world = await makeWorld({ hub: { host: '0.0.0.0' } });
    registerManual(world);
    const port = world.hub.hostName.split(':')[1];
    await configureIdentityd(world, manualProvisioning(`127.0.0.2:${port}`), ['m1']);
    await world.start('keyd');
    await world.start('identityd');
    await world.logs('identityd', 'certificate of 127.0.0.2 is not trusted');
    await world.logs('identityd', READY);
    expect(world.log('identityd')).not.toContain('Network not available');
    expect(world.hub.journal.list()).toEqual([]);
    expect((await world.call(...MODULE)).body.message).toContain('certificate of 127.0.0.2 is not trusted');
    expect((await world.call(...STATUS)).body.status.lastError.message).toContain('is not trusted');
  });

  it('a clock that the cloud contradicts is named in the log and in the status', async () => {
    const world = await provisioned();
    const headers = { date: 'Wed, 01 Jan 2020 00:00:00 GMT' };
    world.hub.faults.add({ fault: { kind: 'status', status: 401, headers, body: '{"Message":"expired"}' }, times: 2 });
    expect((await world.call(...MODULE)).status).toBe(404);
    await world.logs('identityd', 'ahead of that of localhost');
    await world.logs('identityd', 'and its clock differs from');
    expect((await world.call(...STATUS)).body.status.clockAheadSeconds).toBeGreaterThan(150_000_000);
    expect((await world.call(...MODULE)).status).toBe(404);
    expect((await world.call(...MODULE)).status).toBe(200);
    expect((await world.call(...STATUS)).body.status.clockAheadSeconds).toBeNull();
  });
});

describe('ids that would be another address', () => {
  it('IS-075: of modules never reach the hub', async () => {
    const world = await provisioned();
    const asked = world.hub.journal.list().length;
    const ids = [
      'a%2F..%2Fb',
      '..%2F..%2FDev-02%2Fmodules%2Fx',
      '..',
      '.',
      'a%5C..%5Cb',
      'a%0D%0Ab',
      'a%00b',
      '%2E%2E',
    ];
    for (const id of ids) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        const body = method === 'PUT' ? {} : undefined;
        const { status } = await world.call('identityd', method, `/identities/modules/${id}?type=aziot`, body);
        expect([method, id, status]).toEqual([method, id, 400]);
      }
    }
    for (const id of ['../x', 'a\\b', 'a\r\nHost: other', '..']) expect((await create(world, id)).status).toBe(400);
    expect(world.hub.journal.list()).toHaveLength(asked);
  });

  it('of devices are one encoded segment, or refused', async () => {
    const world = await makeWorld();
    const id = 'a/../b\\c\r\nx: y%2e';
    await configureIdentityd(world, manualProvisioning(world.hub.hostName, id), ['m1']);
    await world.start('keyd');
    await world.start('identityd');
    await world.logs('identityd', 'Failed to bring the modules in line');
    const targets = world.hub.journal.list().map(({ target }) => target.split('?')[0]);
    expect(new Set(targets)).toEqual(new Set(['/devices/a%2F..%2Fb%5Cc%0D%0Ax%3A%20y%252e/modules']));
    expect(world.hub.journal.list().every(({ headers }) => headers.every(([name]) => name !== 'x'))).toBe(true);
  });
});

describe('a slow hub', () => {
  it('one call that waits for it keeps nobody else waiting', async () => {
    const world = await provisioned(['m1', 'm2']);
    world.hub.faults.add({ fault: { kind: 'never' }, where: '/modules/m1', times: 1 });
    const hangUp = new AbortController();
    let slowIsOver = false;
    const over = () => {
      slowIsOver = true;
    };
    const slow = world.call(...MODULE, undefined, hangUp.signal).then(over, over);
    await world.hub.journal.wait(({ target, fault }) => target.includes('/modules/m1') && fault === 'never');
    const statuses = [
      await world.call(...STATUS),
      await world.call(...DEVICE),
      await world.call('identityd', 'GET', '/identities/modules?type=aziot'),
      await world.call('identityd', 'GET', '/identities/modules/m2?type=aziot'),
      await create(world, 'm3'),
      await world.call(...REPROVISION),
      await world.call(...MODULE),
    ].map(({ status }) => status);
    expect([statuses, slowIsOver]).toEqual([[200, 200, 200, 200, 200, 204, 200], false]);
    hangUp.abort();
    await slow;
  });
});

describe('modules', () => {
  it('a creation that a kill cut off between its two requests is finished by the next one', async () => {
    const world = await provisioned();
    world.hub.faults.add({
      fault: { kind: 'slow-bytes', milliseconds: 100 },
      where: 'PUT /devices/Dev-A/modules/half',
      times: 1,
    });
    const lost = create(world, 'half').catch(() => undefined);
    await world.hub.journal.wait(({ target, status }) => target.includes('/modules/half') && status === 200);
    await world.stop('identityd', 'SIGKILL');
    await lost;
    const made = world.hub.registry.getModule('Dev-A', 'half');
    expect(made?.generationId).toBeDefined();
    await world.start('identityd');
    await world.logs('identityd', IN_LINE);
    const { status, body } = await create(world, 'half');
    expect([status, body.spec?.genId]).toEqual([200, made?.generationId]);
    const again = await create(world, 'half');
    expect([again.status, again.body.message]).toEqual([404, expect.stringContaining('already')]);
  });

  it('IS-078: one that the hub does not know any more is forgotten at once', async () => {
    const world = await provisioned();
    expect((await world.call(...MODULE)).status).toBe(200);
    world.hub.registry.removeModule('Dev-A', 'm1', { kind: 'any' });
    expect((await world.call(...MODULE)).status).toBe(404);
    world.hub.faults.add({ fault: { kind: 'reset' } });
    expect((await world.call(...MODULE)).status).toBe(404);
  });
});
