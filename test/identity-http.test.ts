import { readFile, stat, writeFile } from 'node:fs/promises';
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
beforeAll(async () => {
  world = await createIdentityWorld();
  registerManual(world);
  await configureKeyd(world);
  await configureIdentityd(world, manualProvisioning(world.hub.hostName), ['m']);
  await writeFile(`${world.folder}/identityd.sock`, 'stale');
  await world.start('keyd');
  await world.start('identityd');
  await world.logs('identityd', 'Identity reconciliation complete.');
});
afterAll(() => world.close());

interface Raw {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: string;
}

/** Sends text as it is over a connection of its own; the answer as far as it came within the limit. */
function raw(text: string, limitMs = 8000): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const socket = connect(`${world.folder}/identityd.sock`, () => socket.write(text));
    let got = '';
    const done = () => {
      clearTimeout(timer);
      socket.destroy();
      const [head = '', body = ''] = got.split('\r\n\r\n');
      const type = /^content-type: (.*)$/im.exec(head)?.[1];
      resolve({ status: Number(head.split(' ')[1]), type, body });
    };
    const timer = setTimeout(done, limitMs);
    socket.on('error', reject);
    socket.on('end', done);
    socket.on('data', (chunk) => {
      got += chunk;
      const length = /^content-length: (\d+)$/im.exec(got)?.[1];
      const body = got.split('\r\n\r\n')[1];
      if (body !== undefined && (text.startsWith('HEAD') || Buffer.byteLength(body) >= Number(length ?? 0))) done();
    });
  });
}

const V = 'api-version=2022-08-01';
const ask = (method: string, target: string, body?: string, type: string | null = 'application/json') => {
  const lines = [
    `${method} ${target} HTTP/1.1`,
    'host: x',
    ...(body === undefined ? [] : [`content-length: ${Buffer.byteLength(body)}`]),
    ...(body === undefined || type === null ? [] : [`content-type: ${type}`]),
  ];
  return raw(`${lines.join('\r\n')}\r\n\r\n${body ?? ''}`);
};
const message = ({ body }: Raw) => (JSON.parse(body) as { message: unknown }).message;
const DEVICE = `/identities/device?${V}`;

describe('the socket of identityd', () => {
  it('IS-002: replaces a stale file, mode 0660', async () => {
    const found = await stat(`${world.folder}/identityd.sock`);
    expect([found.isSocket(), found.mode & 0o777]).toEqual([true, 0o660]);
  });

  it('IS-001: the eleventh connection of a uid waits in line and is served when one is closed', async () => {
    // requests whose bodies are still under way; connections between two requests would make room
    const stalled = `POST ${DEVICE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{`;
    const holders = await Promise.all(
      Array.from({ length: 10 }, () => {
        return new Promise<ReturnType<typeof connect>>((resolve) => {
          const socket = connect(`${world.folder}/identityd.sock`, () => socket.write(stalled, () => resolve(socket)));
          socket.on('error', () => undefined);
        });
      }),
    );
    const request = `GET /identities/provisioning?${V} HTTP/1.1\r\nhost: x\r\n\r\n`;
    const eleventh = raw(request);
    let answered = false;
    void eleventh.then(() => {
      answered = true;
    });
    await new Promise((done) => setTimeout(done, 200));
    expect(answered).toBe(false);
    holders[0]?.destroy();
    expect((await eleventh).status).toBe(200);
    for (const socket of holders) socket.destroy();
  });
});

describe('requests before any handler', () => {
  it('IS-003, IS-004, IS-005, IS-006: the api-version is needed, known, and its last occurrence counts', async () => {
    for (const target of ['/identities/provisioning', '/nothing', '/']) {
      const answer = await ask('GET', target);
      expect([answer.status, message(answer)]).toEqual([400, 'api-version not specified']);
    }
    const old = await ask('GET', '/identities/provisioning?api-version=2019-01-01');
    expect([old.status, message(old)]).toEqual([400, 'invalid api-version "2019-01-01"']);
    expect((await ask('GET', '/identities/provisioning?api-version=2020-09-01-preview')).status).toBe(400);
    expect((await ask('GET', `/identities/provisioning?api-version=bad&${V}`)).status).toBe(200);
  });

  it('IS-007, IS-008: paths are exact and belong to their version', async () => {
    const older = await ask('GET', '/identities/provisioning?api-version=2020-09-01');
    expect([older.status, message(older)]).toEqual([404, 'not found']);
    expect((await ask('GET', '/identities/provisioning?api-version=2021-12-01')).status).toBe(200);
    for (const path of ['/identities/modules/', '/Identities/identity', '/identities/device/']) {
      expect((await ask('GET', `${path}?${V}`)).status).toBe(404);
    }
  });

  it('IS-009, IS-010: methods that a path does not have', async () => {
    for (const [method, target] of [
      ['PATCH', `/identities/identity?${V}`],
      ['OPTIONS', `/identities/modules?${V}`],
      ['DELETE', DEVICE],
    ] as const) {
      const answer = await ask(method, target);
      expect([answer.status, message(answer)]).toEqual([400, 'method not allowed']);
    }
    expect(await ask('HEAD', `/identities/identity?${V}`)).toMatchObject({ status: 400, body: '' });
  });

  it('IS-011, IS-012, IS-013: bodies of POST', async () => {
    expect((await ask('POST', DEVICE, '{')).status).toBe(422);
    expect((await ask('POST', DEVICE, '{}')).status).toBe(422);
    const none = await ask('POST', DEVICE);
    expect([none.status, message(none)]).toEqual([400, 'missing request body']);
    expect((await ask('POST', DEVICE, '{"type":"aziot"}', 'text/plain')).status).toBe(400);
    expect((await ask('POST', DEVICE, '{"type":""}')).status).toBe(200);
    expect((await ask('POST', DEVICE, '{"type":"aziot"}', null)).status).toBe(200);
    for (const odd of ['["aziot"]', '{"type":null}', '{"type":"a"} x']) {
      expect((await ask('POST', DEVICE, odd)).status).toBe(422);
    }
  });

  it('IS-014: bodies of PUT', async () => {
    const target = `/identities/modules/m?type=aziot&${V}`;
    const text = await ask('PUT', target, '{}', 'text/plain');
    expect([text.status, message(text)]).toEqual([415, 'request body must be application/json']);
    expect((await ask('PUT', target, '')).status).toBe(422);
    expect((await ask('PUT', target, '{}', 'application/json; charset=utf-8')).status).toBe(200);
  });

  it('IS-015: a body that stalls is given up after 5 s', async () => {
    const answer = await raw(
      `POST ${DEVICE} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 50\r\n\r\n{`,
      12_000,
    );
    expect(answer.status).toBe(408);
  });

  it('IS-016: every error is an object with a text, in JSON', async () => {
    const failing = [
      ask('GET', '/x'),
      ask('GET', `/x?${V}`),
      ask('PATCH', DEVICE),
      ask('POST', DEVICE, '{'),
      ask('PUT', `/identities/modules/m?type=aziot&${V}`, '{}', 'text/plain'),
      ask('GET', `/identities/modules?${V}`),
      ask('GET', `/identities/modules/none?type=aziot&${V}`),
      ask('GET', `/identities/modules/none?type=local&${V}`),
    ];
    for (const answer of await Promise.all(failing)) {
      expect([answer.status >= 400, answer.type, typeof message(answer)]).toEqual([true, 'application/json', 'string']);
      expect(Object.keys(JSON.parse(answer.body))).toEqual(['message']);
    }
  });
});

describe('endpoints', () => {
  it('IS-030: the name is compared decoded', async () => {
    expect(JSON.parse((await ask('GET', `/identities/modules/%6d?type=aziot&${V}`)).body).spec.moduleId).toBe('m');
  });

  it('IS-056: a body of the reprovision call is optional, but has to be JSON', async () => {
    expect((await ask('POST', `/identities/device/reprovision?${V}`, 'not json')).status).toBe(422);
    expect((await ask('POST', `/identities/device/reprovision?${V}`, '{"type":"aziot"}')).status).toBe(204);
    expect((await ask('POST', `/identities/device/reprovision?${V}`)).status).toBe(204);
  });

  it('IS-094: the trust bundle is always empty', async () => {
    expect((await ask('GET', `/trust-bundle?${V}`)).body).toBe('{"certificate":""}');
  });
});

describe('configuration files', () => {
  it('IS-037, IS-038, IS-039: drop-ins alone are enough, merge in order, and only .toml counts', async () => {
    const alone = await createIdentityWorld();
    try {
      registerManual(alone);
      await configureKeyd(alone);
      await configureIdentityd(alone, manualProvisioning(alone.hub.hostName), []);
      const main = await readFile(`${alone.folder}/identityd.toml`, 'utf8');
      const principal = (uid: number, name: string) =>
        `[[principal]]\nuid = ${uid}\nname = "${name}"\nidtype = ["module"]\n`;
      await writeFile(`${alone.folder}/identityd.d/00-all.toml`, main);
      await writeFile(`${alone.folder}/identityd.d/a.toml`, `hostname = "first"\n${principal(64_101, 'a')}`);
      await writeFile(`${alone.folder}/identityd.d/b.toml`, `hostname = "last"\n${principal(64_102, 'b')}`);
      await writeFile(`${alone.folder}/identityd.d/x.conf`, principal(64_103, 'ignored'));
      await alone.start('keyd');
      await alone.start('identityd', { AZIOT_IDENTITYD_CONFIG: `${alone.folder}/nothing.toml` });
      await alone.logs('identityd', 'Identity reconciliation complete.');
      expect(
        alone.hub.registry
          .listModules('Dev-01')
          .map(({ moduleId }) => moduleId)
          .sort(),
      ).toEqual(['a', 'b']);
      expect(await alone.read('identityd-home/prev_state')).toContain('hostname = "last"');
    } finally {
      await alone.close();
    }
  });
});
