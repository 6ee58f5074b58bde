import { describe, expect, it } from 'vitest';
import { engineKeyOf as key, mustRun } from './test/issue.ts';
import { keydTests, skippedOn } from './test/keyd-tests.ts';
import { hasNginx, Nginx } from './test/nginx.ts';
import type { Store } from './test/real-keyd.ts';
import { OpensslServer } from './test/tls-world.ts';
import type { Ended } from './test/world.ts';

const page = 'GET / HTTP/1.0\r\n\r\n';

const tests = keydTests();

function connect(port: number, handle: string): Promise<Ended> {
  const trust = ['-CAfile', 'ca.pem', '-verify_return_error', '-ign_eof', '-cert', 'client.pem'];
  const command = ['openssl', 's_client', '-connect', `127.0.0.1:${port}`, ...trust, ...key('-key', handle)];
  return tests.world.run(command, { input: page, limitMs: 60_000 });
}

describe.each<[Store, number]>([
  ['files', 4],
  ['softhsm', 0],
])('keyd on %s', (store, files) => {
  const { skip, title } = skippedOn(store);

  it.skipIf(skip).each(['ec-p256', 'rsa-2048', 'rsa-4096'])(
    `SSL-033 issues certificates and serves TLS with %s${title}`,
    async (algorithm) => {
      const handles = await tests.startIssued(store, algorithm);
      expect(tests.keyd.countFiles()).toBe(files);
      const server = await OpensslServer.start(tests.world, 'server', key('-key', handles.server));
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
        const curl = await tests.world.run(['curl', '-sS', ...curlKey, ...trust, `https://127.0.0.1:${server.port}/`]);
        expect(curl).toMatchObject({ exit: 0, stdout: '200' });
      } finally {
        server.stop();
      }
    },
    60_000,
  );

  it.skipIf(skip || !hasNginx).each(['ec-p256', 'rsa-2048'])(
    `SSL-021 nginx serves TLS with %s${title} (skipped where nginx is not installed)`,
    async (algorithm) => {
      await tests.startIssued(store, algorithm);
      const nginx = await Nginx.start(tests.world, 'server.pem', 'server');
      try {
        for (const version of ['1.2', '1.3']) {
          const url = `https://127.0.0.1:${nginx.port}/`;
          const answer = await tests.world.run(['curl', '-sS', '--tls-max', version, '--cacert', 'ca.pem', url]);
          expect(answer).toMatchObject({ exit: 0, stdout: 'hello' });
        }
      } finally {
        await nginx.stop();
      }
    },
    60_000,
  );

  it.skipIf(skip).each(['ec-p256', 'rsa-2048'])(
    `SSL-012 SSL-014 openssl dgst and openssl cms sign with %s${title}`,
    async (algorithm) => {
      const handles = await tests.startIssued(store, algorithm);
      expect(await tests.world.sign(handles.client)).toMatchObject({ exit: 0 });
      await mustRun(tests.world, ['openssl', 'x509', '-in', 'client.pem', '-pubkey', '-noout', '-out', 'client.pub']);
      await mustRun(tests.world, ['openssl', 'dgst', '-sha256', '-verify', 'client.pub', '-signature', 'sig', 'data']);
      const engine = ['-engine', 'aziot_keys', '-keyform', 'engine', '-inkey', handles.client];
      const signed = ['-binary', '-in', 'data', '-outform', 'DER', '-out', 'data.cms'];
      await mustRun(tests.world, [
        'openssl',
        'cms',
        '-sign',
        '-md',
        'sha256',
        '-signer',
        'client.pem',
        ...engine,
        ...signed,
      ]);
      const trust = ['-CAfile', 'ca.pem', '-purpose', 'any', '-content', 'data', '-binary'];
      await mustRun(tests.world, [
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
    const { skip, title } = skippedOn(store);
    it.skipIf(skip)(
      `SSL-024 SSL-034 serves 50 TLS clients at once with keys in ${store}, and again after a restart${title}`,
      async () => {
        const handles = await tests.startIssued(store, 'ec-p256');
        const server = await OpensslServer.start(tests.world, 'server', key('-key', handles.server));
        try {
          const clients = await Promise.all(Array.from({ length: 50 }, () => connect(server.port, handles.client)));
          expect(clients.filter((client) => client.exit !== 0)).toEqual([]);
          await tests.keyd.stop();
          await tests.keyd.start();
          expect((await connect(server.port, handles.client)).exit).toBe(0);
        } finally {
          server.stop();
        }
      },
      120_000,
    );
  }

  it('SSL-008 refuses handles as the engine expects it', async () => {
    await tests.start('files');
    const handle = await tests.keyd.makePair('one', 'ec-p256');
    expect((await tests.world.load('one')).exit).toBe(0);
    const tampered = await tests.world.load(handle.replace('sr=', 'sr=A'));
    expect(tampered.exit).toBe(1);
    expect(tampered.stderr).toContain('invalid handle');
    expect((await tests.world.load('nobody')).stderr).toContain('a parameter has an invalid value');
  });
});
