import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { engineKey, makeTlsWorld, OpensslServer } from './test/tls-world.ts';
import { buildEngine, type Ended, type World } from './test/world.ts';

let world: World;
let plain: OpensslServer;

beforeAll(async () => {
  buildEngine();
  world = await makeTlsWorld(['ec', 'rsa', 'srv-ec', 'srv-rsa', 'p384']);
  plain = await OpensslServer.start(world, 'srv-ec', ['-key', world.key('srv-ec').path]);
});

afterEach(async () => {
  await world.behave();
  await world.takeRequests();
});

afterAll(async () => {
  plain.stop();
  await world.close();
});

const page = 'GET / HTTP/1.0\r\n\r\n';

function connect(port: number, name: string, more: readonly string[], key = name): Promise<Ended> {
  const trust = ['-CAfile', 'ca.pem', '-verify_return_error', '-ign_eof', '-cert', `${name}.pem`];
  const target = ['-connect', `127.0.0.1:${port}`];
  return world.run(['openssl', 's_client', ...target, ...trust, ...engineKey(world, key), ...more], { input: page });
}

function expectPage(ended: Ended, version: string): void {
  expect(ended.exit).toBe(0);
  expect(ended.stdout).toContain(`New, ${version}`);
  expect(ended.stdout).toContain('HTTP/1.0 200');
  expect(ended.stdout).toContain('Client certificate');
}

const versions = [
  ['-tls1_2', 'TLSv1.2'],
  ['-tls1_3', 'TLSv1.3'],
] as const;

async function operations(): Promise<string[]> {
  const requests = await world.takeRequests();
  return requests.map((request) => request.path).filter((path) => !path.startsWith('/parameters/'));
}

describe.each(versions)('TLS with %s', (option, version) => {
  it.each(['ec', 'rsa', 'p384'])('SSL-020 a client authenticates with %s, by one signature', async (name) => {
    expectPage(await connect(plain.port, name, [option]), version);
    expect(await operations()).toEqual([name === 'rsa' ? '/encrypt' : '/sign']);
  });

  it.each(['srv-ec', 'srv-rsa'])('SSL-021 a server has the key %s', async (name) => {
    const server = await OpensslServer.start(world, name, engineKey(world, name));
    try {
      expectPage(await connect(server.port, 'ec', [option]), version);
      expect((await operations()).sort()).toEqual([name === 'srv-rsa' ? '/encrypt' : '/sign', '/sign'].sort());
    } finally {
      server.stop();
    }
  });
});

describe('TLS', () => {
  it.each(['RSA+SHA256', 'rsa_pss_rsae_sha256', 'RSA+SHA512', 'rsa_pss_rsae_sha512'])(
    'SSL-020 a TLS 1.2 client signs with %s',
    async (algorithm) => {
      expectPage(
        await connect(plain.port, 'rsa', [
          '-tls1_2',
          '-client_sigalgs',
          algorithm,
          '-sigalgs',
          `${algorithm}:ECDSA+SHA256`,
        ]),
        'TLSv1.2',
      );
      const sign = (await world.takeRequests()).find((request) => request.path === '/encrypt');
      const expected = algorithm.startsWith('RSA+') ? 'RSA-PKCS1' : 'RSA-NO-PADDING';
      expect(JSON.parse(sign?.body ?? '{}')).toMatchObject({ algorithm: expected });
    },
  );

  it('SSL-022 refuses a certificate of another key before any signature', async () => {
    const ended = await connect(plain.port, 'ec', ['-tls1_3'], 'srv-ec');
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('key values mismatch');
    expect(await operations()).toEqual([]);
  });

  it.each([false, true])(
    'SSL-023 curl authenticates with a key in keyd; openssl.cnf loads the engine too: %s',
    async (listed) => {
      const { writeFileSync } = await import('node:fs');
      const conf = world.file('openssl.cnf');
      const section = 'engine_id = aziot_keys\ninit = 1\n';
      writeFileSync(conf, `openssl_conf = all\n[all]\nengines = list\n[list]\naziot_keys = one\n[one]\n${section}`);
      const key = ['--engine', 'aziot_keys', '--key-type', 'ENG', '--key', world.handle('ec'), '--cert', 'ec.pem'];
      const ended = await world.run(
        [
          'curl',
          '-sS',
          ...key,
          '--cacert',
          'ca.pem',
          '-o',
          'page',
          '-w',
          '%{http_code}',
          `https://127.0.0.1:${plain.port}/`,
        ],
        listed ? { env: { OPENSSL_CONF: conf } } : {},
      );
      expect(ended).toMatchObject({ exit: 0, stdout: '200', stderr: '' });
      expect(await operations()).toEqual(['/sign']);
    },
  );

  it('SSL-024 completes 50 handshakes at once although keyd closes what is above ten connections', async () => {
    await world.behave([], 10);
    const clients = Array.from({ length: 50 }, (_, index) =>
      connect(plain.port, index % 2 === 0 ? 'ec' : 'rsa', ['-tls1_3']),
    );
    for (const ended of await Promise.all(clients)) expectPage(ended, 'TLSv1.3');
    expect(await operations()).toHaveLength(50);
  }, 60_000);

  it('SSL-010 breaks the handshake, not the program, when keyd refuses the signature', async () => {
    await world.behave([{ path: '/sign', status: 500, body: '{"message":"internal error"}' }]);
    const ended = await connect(plain.port, 'ec', ['-tls1_3']);
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('internal error');
  });
});
