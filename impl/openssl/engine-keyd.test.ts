import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { issueWithEngine, engineKeyOf as key, makeThreePairs, mustRun } from './test/issue.ts';
import { hasNginx, Nginx } from './test/nginx.ts';
import { RealKeyd, type Store, whyNot } from './test/real-keyd.ts';
import { OpensslServer } from './test/tls-world.ts';
import { buildEngine, type Ended, World } from './test/world.ts';

const page = 'GET / HTTP/1.0\r\n\r\n';

let world: World;
let keyd: RealKeyd;

beforeAll(() => buildEngine());

beforeEach(() => {
  world = new World([]);
});

afterEach(async () => {
  await keyd?.stop();
  await world.close();
});

function connect(port: number, handle: string): Promise<Ended> {
  const trust = ['-CAfile', 'ca.pem', '-verify_return_error', '-ign_eof', '-cert', 'client.pem'];
  const command = ['openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...trust, ...key('-key', handle)];
  return world.run(command, { input: page, limitMs: 60_000 });
}

const makePairs = (algorithm: string) => makeThreePairs(keyd, algorithm);

describe.each<[Store, number]>([
  ['files', 4],
  ['softhsm', 0],
])('keyd on %s', (store, files) => {
  const reason = whyNot(store);
  const title = reason === undefined ? '' : ` (skipped: ${reason})`;

  it.skipIf(reason !== undefined).each(['ec-p256', 'rsa-2048', 'rsa-4096'])(
    `SSL-033 issues certificates and serves TLS with %s${title}`,
    async (algorithm) => {
      keyd = new RealKeyd(world, store);
      await keyd.start();
      const handles = await makePairs(algorithm);
      await issueWithEngine(world, handles);
      expect(keyd.countFiles()).toBe(files);
      const server = await OpensslServer.start(world, 'server', key('-key', handles.server));
      try {
        const answer = await connect(server.port, handles.client);
        expect(answer.exit).toBe(0);
        expect(answer.stdout).toContain('HTTP/1.0 200');
        const curlKey = [
          '--engine',
          'aziot_keys',
          '--key-type',
          'ENG',
          '--key',
          handles.client,
          '--cert',
          'client.pem',
        ];
        const trust = ['--cacert', 'ca.pem', '-o', 'page', '-w', '%{http_code}'];
        const curl = await world.run(['curl', '-sS', ...curlKey, ...trust, `https://127.0.0.1:${server.port}/`]);
        expect(curl).toMatchObject({ exit: 0, stdout: '200' });
      } finally {
        server.stop();
      }
    },
    60_000,
  );

  it.skipIf(reason !== undefined || !hasNginx).each(['ec-p256', 'rsa-2048'])(
    `SSL-021 nginx serves TLS with %s${title} (skipped where nginx is not installed)`,
    async (algorithm) => {
      keyd = new RealKeyd(world, store);
      await keyd.start();
      await issueWithEngine(world, await makePairs(algorithm));
      const nginx = await Nginx.start(world, 'server.pem', 'server');
      try {
        for (const version of ['1.2', '1.3']) {
          const url = `https://127.0.0.1:${nginx.port}/`;
          const answer = await world.run(['curl', '-sS', '--tls-max', version, '--cacert', 'ca.pem', url]);
          expect(answer).toMatchObject({ exit: 0, stdout: 'hello' });
        }
      } finally {
        await nginx.stop();
      }
    },
    60_000,
  );

  it.skipIf(reason !== undefined).each(['ec-p256', 'rsa-2048'])(
    `SSL-012 SSL-014 openssl dgst and openssl cms sign with %s${title}`,
    async (algorithm) => {
      keyd = new RealKeyd(world, store);
      await keyd.start();
      const handles = await makePairs(algorithm);
      await issueWithEngine(world, handles);
      expect(await world.sign(handles.client)).toMatchObject({ exit: 0 });
      await mustRun(world, ['openssl', 'x509', '-in', 'client.pem', '-pubkey', '-noout', '-out', 'client.pub']);
      await mustRun(world, ['openssl', 'dgst', '-sha256', '-verify', 'client.pub', '-signature', 'sig', 'data']);
      const engine = ['-engine', 'aziot_keys', '-keyform', 'engine', '-inkey', handles.client];
      const signed = ['-binary', '-in', 'data', '-outform', 'DER', '-out', 'data.cms'];
      await mustRun(world, ['openssl', 'cms', '-sign', '-md', 'sha256', '-signer', 'client.pem', ...engine, ...signed]);
      const trust = ['-CAfile', 'ca.pem', '-purpose', 'any', '-content', 'data', '-binary'];
      await mustRun(world, [
        'openssl',
        'cms',
        '-verify',
        '-inform',
        'DER',
        '-in',
        'data.cms',
        ...trust,
        '-out',
        'content',
      ]);
    },
    60_000,
  );
});

describe('keyd of this project', () => {
  for (const store of ['files', 'softhsm'] as const) {
    const reason = whyNot(store);
    const title = reason === undefined ? '' : ` (skipped: ${reason})`;
    it.skipIf(reason !== undefined)(
      `SSL-024 SSL-034 serves 50 TLS clients at once with keys in ${store}, and again after a restart${title}`,
      async () => {
        keyd = new RealKeyd(world, store);
        await keyd.start();
        const handles = await makePairs('ec-p256');
        await issueWithEngine(world, handles);
        const server = await OpensslServer.start(world, 'server', key('-key', handles.server));
        try {
          const clients = await Promise.all(Array.from({ length: 50 }, () => connect(server.port, handles.client)));
          expect(clients.filter((client) => client.exit !== 0)).toEqual([]);
          await keyd.stop();
          await keyd.start();
          expect((await connect(server.port, handles.client)).exit).toBe(0);
        } finally {
          server.stop();
        }
      },
      120_000,
    );
  }

  it('SSL-008 refuses handles as the engine expects it', async () => {
    keyd = new RealKeyd(world, 'files');
    await keyd.start();
    const handle = await keyd.makePair('one', 'ec-p256');
    expect((await world.load('one')).exit).toBe(0);
    const tampered = await world.load(handle.replace('sr=', 'sr=A'));
    expect(tampered.exit).toBe(1);
    expect(tampered.stderr).toContain('invalid handle');
    expect((await world.load('nobody')).stderr).toContain('a parameter has an invalid value');
  });
});
