import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  configureIdentityd,
  configureKeyd,
  createIdentityWorld,
  type IdentityWorld,
  manualProvisioning,
  registerManual,
} from './identity-world.ts';

let world: IdentityWorld;
let asked = 0;
beforeAll(async () => {
  world = await createIdentityWorld();
  registerManual(world);
  await configureKeyd(world);
  await configureIdentityd(world, manualProvisioning(world.hub.hostName), ['m1']);
  await world.start('keyd');
  await world.start('identityd');
  await world.logs('identityd', 'Identity reconciliation complete.');
  asked = world.hub.journal.list().length;
});
afterAll(() => world.close());

const DEVICE = ['identityd', 'POST', '/identities/device', { type: 'aziot' }] as const;

/** Writes, then waits for the head and body of an answer, or for the end of the connection. */
function raw(...parts: readonly (string | Buffer)[]): Promise<string> {
  return new Promise((resolve) => {
    let got = '';
    const socket = connect(`${world.folder}/identityd.sock`, () => {
      for (const part of parts) socket.write(part);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => resolve(got));
    socket.on('data', (chunk) => {
      got += chunk;
      if (got.includes('\r\n\r\n')) socket.destroy();
    });
  });
}

function post(body: string | Buffer): Promise<string> {
  const head = 'POST /identities/modules?api-version=2022-08-01 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json';
  return raw(`${head}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n`, body);
}
const statusOf = (answer: string): number => Number(answer.split(' ')[1]);
const named = (moduleId: string): string => JSON.stringify({ type: 'aziot', moduleId });

describe('callers that send nonsense get a refusal, and the hub hears nothing of it', () => {
  it.each([
    ['é', '%C3%A9'],
    ['a face', '%F0%9F%98%80'],
    ['a blank at the end', 'm1%20'],
    ['a tab before', '%09m1'],
    ['129 characters', 'a'.repeat(129)],
    ['twenty thousand characters', 'a'.repeat(20_000)],
    ['a semicolon', 'm1;x'],
  ])('the module id %s: 400 for each method', async (_, id) => {
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const body = method === 'PUT' ? {} : undefined;
      const { status } = await world.call('identityd', method, `/identities/modules/${id}?type=aziot`, body);
      expect([method, status]).toEqual([method, 400]);
    }
  });

  it('a path that is no UTF-8 is no path: 404', async () => {
    expect((await world.call('identityd', 'GET', '/identities/modules/%ff?type=aziot')).status).toBe(404);
  });

  it.each([
    ['é as module id', named('é'), 400],
    ['half a character as module id', '{"type":"aziot","moduleId":"\\ud800"}', 400],
    ['129 characters as module id', named('a'.repeat(129)), 400],
    ['a number as module id', '{"type":"aziot","moduleId":5}', 422],
    ['fifty thousand levels', '{"a":'.repeat(50_000), 422],
    ['a byte order mark', `\ufeff${named('q')}`, 422],
    ['UTF-16', Buffer.from(named('q'), 'utf16le'), 422],
    ['bytes that are no UTF-8', Buffer.from(named('q').replace('q', '\u00ff'), 'latin1'), 422],
    ['a member twice', '{"type":"aziot","type":"local","moduleId":"q"}', 422],
    ['NaN', '{"type":NaN}', 422],
    ['a list', '[]', 422],
    ['null', 'null', 422],
  ])('the body %s', async (_, body, status) => {
    expect(statusOf(await post(body))).toBe(status);
  });

  it.each([
    ['TLS', Buffer.from([0x16, 3, 1, 0, 5, 1, 2, 3]), 400],
    ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400],
    [
      'two lengths of a body',
      'POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n',
      400,
    ],
    ['a path of 70,000 characters', `GET /${'x'.repeat(70_000)} HTTP/1.1\r\nhost: x\r\n\r\n`, 431],
  ])('the request %s', async (_, text, status) => {
    expect(statusOf(await raw(text))).toBe(status);
  });

  it('none of it reached the hub, and the device is answered as before', async () => {
    expect(world.hub.journal.list()).toHaveLength(asked);
    expect((await world.call(...DEVICE)).status).toBe(200);
  });
});

describe('callers that are slow', () => {
  it('a body byte by byte ends at five seconds; a connection that never reads keeps nobody waiting', async () => {
    const request = 'GET /identities/identity?api-version=2022-08-01 HTTP/1.1\r\nhost: x\r\n\r\n';
    const deaf = connect(`${world.folder}/identityd.sock`, () => deaf.write(request.repeat(3000)));
    deaf.pause();
    deaf.on('error', () => undefined);
    const start =
      'POST /identities/device?api-version=2022-08-01 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json';
    const slow = connect(`${world.folder}/identityd.sock`, () =>
      slow.write(`${start}\r\ncontent-length: 500\r\n\r\n{`),
    );
    slow.on('error', () => undefined);
    const drip = setInterval(() => slow.write(' '), 300);
    const ended = new Promise<string>((resolve) => slow.once('data', (text) => resolve(text.toString())));
    for (let count = 0; count < 5; count++) {
      const began = performance.now();
      expect((await world.call(...DEVICE)).status).toBe(200);
      expect(performance.now() - began).toBeLessThan(2000);
    }
    expect(statusOf(await ended)).toBe(408);
    clearInterval(drip);
    deaf.destroy();
  });
});
