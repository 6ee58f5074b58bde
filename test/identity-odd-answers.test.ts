import { createServer, type Socket } from 'node:net';
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
const REPROVISION = ['identityd', 'POST', '/identities/device/reprovision'] as const;
const MODULE = ['identityd', 'GET', '/identities/modules/m1?type=aziot'] as const;
const MODULES = ['identityd', 'GET', '/identities/modules?type=aziot'] as const;
const STATUS = ['identityd', 'GET', '/identities/provisioning?status=true'] as const;
const JSON_TYPE = { 'content-type': 'application/json' };

/** A symmetric device whose identityd was not started yet. */
async function enrolled(): Promise<IdentityWorld> {
  const world = await createIdentityWorld();
  closing.push(() => world.close());
  await configureKeyd(world);
  enrolSymmetric(world);
  await configureIdentityd(world, symmetricProvisioning(world), ['m1']);
  await world.start('keyd');
  return world;
}

async function provisioned(): Promise<IdentityWorld> {
  const world = await enrolled();
  await world.start('identityd');
  await world.logs('identityd', IN_LINE);
  return world;
}

/** What a service says instead of its own answer. */
const saying = (body: unknown, status = 200) =>
  ({
    kind: 'status',
    status,
    headers: JSON_TYPE,
    body: typeof body === 'string' ? body : JSON.stringify(body),
  }) as const;
const assigning = (assignedHub: unknown, deviceId: unknown) =>
  saying({ operationId: 'op', status: 'assigned', registrationState: { assignedHub, deviceId } });

/** Assignments that nobody could work with, and a word of the error. */
const IMPOSSIBLE: readonly (readonly [hub: unknown, device: unknown, word: string])[] = [
  ['evil host/..', 'd', 'is not a host name'],
  ['x\r\ny', 'd', 'is not a host name'],
  ['https://hub', 'd', 'is not a host name'],
  ['localhost:99999', 'd', 'is not a host name'],
  ['hub.test', '..', 'cannot be ".."'],
  ['hub.test', 'a\u0000b', 'may hold only'],
  ['hub.test', '\ud800', 'may hold only'],
  ['hub.test', 'd'.repeat(129), 'longer than 128'],
  ['hub.test', 7, 'deviceId'],
];

describe('DPS that answers nonsense', () => {
  it('CL-028: an assignment that cannot be a device is none; the device in use stays, and so do its files', async () => {
    const world = await provisioned();
    const before = await world.read('identityd-home/device_info');
    for (const [hub, device, word] of IMPOSSIBLE) {
      world.dps.faults.add({ fault: assigning(hub, device), where: '/register' });
      const { status, body } = await world.call(...REPROVISION);
      expect([status, body.message]).toEqual([404, expect.stringContaining(word)]);
      expect((await world.call(...DEVICE)).body.spec).toMatchObject({ deviceId: 'Dev-A', hubName: world.hub.hostName });
      world.dps.faults.clear();
    }
    expect(await world.read('identityd-home/device_info')).toBe(before);
    expect((await world.call(...REPROVISION)).status).toBe(204);
  });

  it('CL-028: at the first start the device waits, and E2 is held until DPS has come to its senses', async () => {
    const world = await enrolled();
    world.dps.faults.add({ fault: assigning('evil host/..', 'd'), where: '/register' });
    await world.start('identityd');
    const held = world.call(...DEVICE);
    await world.logs('identityd', 'is not a host name');
    expect((await world.call(...STATUS)).body.status).toMatchObject({ state: 'waiting' });
    world.dps.faults.clear();
    expect((await world.call(...REPROVISION)).status).toBe(204);
    expect((await held).body.spec.deviceId).toBe('Dev-A');
  });

  it('an error text with line ends and controls makes no line of the log, nor steers a terminal', async () => {
    const world = await enrolled();
    const forged = '<3>2026-01-01T00:00:00Z [ERR!] - forged';
    const message = `bad\r\n${forged}\u001b[31m`;
    world.dps.faults.add({ fault: saying({ errorCode: 400001, message }, 400), where: '/register' });
    await world.start('identityd');
    await world.logs('identityd', 'forged');
    expect(world.log('identityd').split(/[\r\n]/)).not.toContainEqual(expect.stringMatching(/^<3>2026-01-01T/));
    expect(world.log('identityd')).not.toContain('\u001b');
  });
});

const M1 = { moduleId: 'm1', deviceId: 'Dev-A', generationId: '1' };

describe('a hub that answers nonsense', () => {
  it.each([
    ['another module', { ...M1, moduleId: 'other' }, 'about another module'],
    ['no module at all', { ...M1, moduleId: '' }, 'about another module'],
    ['the module of another device', { ...M1, deviceId: 'Dev-Z' }, 'about another device'],
    ['two names', '{"moduleId":"m1","moduleId":"m2","deviceId":"Dev-A","generationId":"1"}', 'about another module'],
    ['a number for a name', { ...M1, moduleId: 5 }, 'not a module'],
    ['brackets without end', '['.repeat(100_000), 'not valid JSON'],
    ['two megabytes of blanks', ' '.repeat(2_000_000), 'larger than 1048576 bytes'],
  ])('%s: no key for it, and the cache keeps what it had', async (_, body, word) => {
    const world = await provisioned();
    const { spec } = (await world.call(...MODULE)).body;
    world.hub.faults.add({ fault: saying(body), where: '/modules/m1' });
    const told = await world.call(...MODULE);
    expect([told.status, told.body.message]).toEqual([404, expect.stringContaining(word)]);
    world.hub.faults.clear();
    world.hub.faults.add({ fault: { kind: 'reset' } });
    const kept = await world.call(...MODULE);
    expect([kept.body.spec.moduleId, kept.body.spec.genId]).toEqual(['m1', spec.genId]);
    expect((await world.call(...MODULES)).body.identities).toHaveLength(1);
  });

  it('a list of another device is refused and replaces nothing', async () => {
    const world = await provisioned();
    world.hub.faults.add({ fault: saying([M1, { ...M1, deviceId: 'Dev-Z' }]), where: '/modules?' });
    expect((await world.call(...MODULES)).status).toBe(404);
    world.hub.faults.clear();
    world.hub.faults.add({ fault: { kind: 'reset' } });
    expect((await world.call(...MODULES)).body.identities[0].spec.deviceId).toBe('Dev-A');
  });
});

/** What a proxy does once it is asked for a tunnel, and what the log then says. */
const PROXIES: readonly (readonly [string, (socket: Socket) => void, string])[] = [
  ['closes', (socket) => socket.destroy(), 'could not open a tunnel'],
  ['speaks something else', (socket) => socket.write('garbage\r\n\r\n'), 'could not open a tunnel'],
  ['refuses', (socket) => socket.write('HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n'), 'answered 407 to CONNECT'],
  ['sends a body', (socket) => socket.write('HTTP/1.1 200 OK\r\n\r\nhello'), 'answered 200 to CONNECT'],
  ['closes the tunnel', (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n'), 'could not connect to localhost'],
  [
    'has something else at the end of the tunnel',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      socket.once('data', () => socket.write('not TLS at all'));
    },
    'could not connect to localhost',
  ],
  [
    'never ends its header',
    (socket) => {
      socket.write('HTTP/1.1 200 OK\r\n');
      for (let line = 0; line < 100; line++) socket.write(`x: ${'a'.repeat(8000)}\r\n`);
    },
    'could not open a tunnel',
  ],
];

describe('a proxy', () => {
  it.each(PROXIES)(
    'CL-050: that %s is told of, its credentials go in one header, and nothing ends',
    async (_, act, word) => {
      const asked: string[] = [];
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.on('error', () => undefined);
        socket.once('data', (text) => {
          asked.push(text.toString());
          act(socket);
        });
      });
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
      closing.push(async () => {
        for (const socket of sockets) socket.destroy();
        server.close();
      });
      const address = server.address();
      const port = typeof address === 'object' ? address?.port : 0;
      const world = await enrolled();
      await world.start('identityd', { HTTPS_PROXY: `http://us%65r:p%2Fw@127.0.0.1:${port}` });
      await world.logs('identityd', word);
      const { status } = (await world.call(...STATUS)).body;
      expect([status.state, status.lastError.message]).toEqual(['waiting', expect.any(String)]);
      const [request = ''] = asked;
      expect(request.match(/^[\w-]+(?=:)/gm)?.map((name) => name.toLowerCase())).toEqual([
        'host',
        'proxy-authorization',
      ]);
      expect(request).toContain(`Basic ${Buffer.from('user:p/w').toString('base64')}`);
      for (const secret of ['p/w', 'p%2Fw', Buffer.from('user:p/w').toString('base64')])
        expect(world.log('identityd')).not.toContain(secret);
      expect(world.dps.journal.list()).toEqual([]);
    },
  );
});
