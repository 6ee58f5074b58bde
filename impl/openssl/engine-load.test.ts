import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildEngine, engineFile, room, World } from './test/world.ts';

const innerId = 'aziot-key-openssl-engine';
const name = 'An openssl engine that talks to the Azure IoT Keys Service';

let world: World;

beforeAll(async () => {
  buildEngine();
  world = new World(['ec', 'rsa', 'rsa4k', 'sym', 'open', 'p384', 'p521', 'secp', 'refused384', 'device id/1']);
  await world.startKeyd();
});

afterAll(() => world.close());

async function paths(): Promise<string[]> {
  return (await world.takeRequests()).map((request) => request.path);
}

describe('the engine in a process', () => {
  it('SSL-001 loads by its file name and starts with keyd absent', async () => {
    const env = { AZIOT_KEYD_SOCKET: world.file('nobody.sock') };
    const ended = await world.run(['openssl', 'engine', '-t', '-c', 'aziot_keys'], { env });
    expect(ended.exit).toBe(0);
    expect(ended.stdout).toContain('[ available ]');
    expect(ended.stdout).toContain('[id-ecPublicKey, rsaEncryption]');
  });

  it('SSL-002 shows its inner id and its name once it is loaded', async () => {
    const ended = await world.run(['openssl', 'engine', 'aziot_keys']);
    expect(ended.stdout).toBe(`(aziot_keys) ${name}\nLoaded: (${innerId}) ${name}\n`);
  });

  it('SSL-003 loads any number of times in one process by id', async () => {
    const ended = await world.run(['openssl', 'engine', '-t', ...Array<string>(40).fill('aziot_keys')]);
    expect(ended.exit).toBe(0);
    expect(ended.stdout.match(/\[ available \]/g)).toHaveLength(40);
    expect(ended.stderr).toBe('');
  });

  it('SSL-003 loads through dynamic and SO_PATH more than once in one process', async () => {
    const pre = ['-pre', `SO_PATH:${engineFile}`, '-pre', 'LIST_ADD:1', '-pre', 'LOAD'];
    const ended = await world.run(['openssl', 'engine', '-t', ...pre, 'dynamic', 'dynamic', 'dynamic']);
    expect(ended.stdout.match(/\[ available \]/g)).toHaveLength(3);
  });

  it('SSL-003 loads through openssl.cnf, and then by id again', async () => {
    const section = `engine_id = aziot_keys\ndynamic_path = ${engineFile}\ninit = 1\n`;
    writeFileSync(
      world.file('openssl.cnf'),
      `openssl_conf = all\n[all]\nengines = list\n[list]\naziot_keys = one\n[one]\n${section}`,
    );
    const env = { OPENSSL_CONF: world.file('openssl.cnf') };
    const listed = await world.run(['openssl', 'engine', '-t', 'aziot_keys', 'aziot_keys'], { env });
    expect(listed).toMatchObject({ exit: 0, stderr: '' });
    expect(listed.stdout.match(/\[ available \]/g)).toHaveLength(2);
    expect((await world.load(world.handle('ec'), ['-noout'], { env })).exit).toBe(0);
    await world.takeRequests();
  });

  it('lists itself verbosely without a crash', async () => {
    const ended = await world.run(['openssl', 'engine', '-vvvv', 'aziot_keys']);
    expect(ended).toMatchObject({ exit: 0, stderr: '' });
  });

  it('links no libcrypto and shows only its two entry points', async () => {
    const linked = await world.run(['ldd', engineFile]);
    expect(linked.stdout).not.toMatch(/libcrypto|libssl/);
    const symbols = await world.run(['nm', '-D', '--defined-only', engineFile]);
    const names = symbols.stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' ').at(-1));
    expect(names.sort()).toEqual(['bind_engine', 'v_check']);
  });
});

describe('loading a key', () => {
  it('SSL-004 loads an EC pair with three requests and no signature', async () => {
    const ended = await world.load(world.handle('ec'), ['-noout', '-text_pub']);
    expect(ended.exit).toBe(0);
    expect(ended.stdout).toContain('NIST CURVE: P-256');
    expect(await paths()).toEqual(['/parameters/algorithm', '/parameters/ec-curve-oid', '/parameters/ec-point']);
  });

  it.each([
    ['rsa', 2048],
    ['rsa4k', 4096],
  ] as const)('SSL-005 loads the RSA pair %s of %i bits with three requests', async (key, bits) => {
    const ended = await world.load(world.handle(key), ['-noout', '-text_pub']);
    expect(ended.exit).toBe(0);
    expect(ended.stdout).toContain(`Public-Key: (${bits} bit)`);
    expect(ended.stdout).toContain('Exponent: 65537');
    expect(await paths()).toEqual(['/parameters/algorithm', '/parameters/rsa-modulus', '/parameters/rsa-exponent']);
  });

  it.each(['ec', 'rsa', 'open', 'p384', 'p521'])(
    'SSL-006 gives the same public key for %s as the key itself',
    async (key) => {
      const expected = (await world.run(['openssl', 'pkey', '-in', world.key(key).path, '-pubout'])).stdout;
      expect(expected).toContain('BEGIN PUBLIC KEY');
      expect((await world.load(world.handle(key), ['-pubout'])).stdout).toBe(expected);
      expect((await world.load(world.handle(key), ['-pubin', '-pubout'])).stdout).toBe(expected);
      expect(await paths()).toHaveLength(6);
    },
  );

  it('SSL-006 cannot sign with the public key', async () => {
    const engine = ['-engine', 'aziot_keys', '-keyform', 'engine', '-pubin', '-inkey', world.handle('ec')];
    const ended = await world.run(['openssl', 'pkeyutl', '-sign', ...engine, '-in', 'dig', '-out', 'sig']);
    expect(ended.exit).not.toBe(0);
    await world.takeRequests();
  });

  it('SSL-007 fails at once when keyd is absent', async () => {
    const ended = await world.load(world.handle('ec'), ['-noout'], {
      env: { AZIOT_KEYD_SOCKET: world.file('nobody.sock') },
    });
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('aziot_key_openssl_engine');
    expect(ended.stderr).toContain(`cannot connect to keyd at ${world.file('nobody.sock')}: No such file or directory`);
    expect(ended.ms).toBeLessThan(1000);
  });

  it('SSL-007 names a socket setting that cannot be used', async () => {
    const relative = await world.load(world.handle('ec'), ['-noout'], { env: { AZIOT_KEYD_SOCKET: 'keyd.sock' } });
    expect(relative.stderr).toContain('AZIOT_KEYD_SOCKET must be an absolute path');
    const long = await world.load(world.handle('ec'), ['-noout'], {
      env: { AZIOT_KEYD_SOCKET: `/${'a'.repeat(108)}` },
    });
    expect(long.stderr).toContain('File name too long');
    const timeout = await world.load(world.handle('ec'), ['-noout'], { env: { AZIOT_KEYD_TIMEOUT_MS: '1s' } });
    expect(timeout.stderr).toContain('AZIOT_KEYD_TIMEOUT_MS must be a number');
  });

  it('SSL-008 refuses a tampered handle with the message of keyd', async () => {
    const ended = await world.load(world.handle('ec').replace('&sig=', '&sig=A'));
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('parameter "handle" has an invalid value\ncaused by: invalid handle');
    expect(await paths()).toEqual(['/parameters/algorithm']);
  });

  it('SSL-009 refuses the handle of a symmetric key', async () => {
    const ended = await world.load(world.handle('sym'));
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('internal error');
    expect(await paths()).toEqual(['/parameters/algorithm']);
  });

  it('SSL-011 refuses a curve that keyd refuses, and one that it does not know itself', async () => {
    const refused = await world.load(world.handle('refused384'));
    expect(refused.exit).toBe(1);
    expect(refused.stderr).toContain('a parameter has an invalid value');
    expect(await paths()).toEqual(['/parameters/algorithm', '/parameters/ec-curve-oid']);
    const unknown = await world.load(world.handle('secp'));
    expect(unknown.exit).toBe(1);
    expect(unknown.stderr).toContain('unrecognized curve');
    await world.takeRequests();
  });

  it('takes what does not begin with sr= for a key id and asks keyd for the handle first', async () => {
    expect((await world.load('ec')).exit).toBe(0);
    const requests = await world.takeRequests();
    expect(requests[0]).toMatchObject({
      line: 'GET /keypair/ec?api-version=2021-05-01 HTTP/1.1',
      headers: ['host: keyd.sock'],
      body: '',
    });
    expect(requests).toHaveLength(4);
    expect(requests[1]?.body).toBe(JSON.stringify({ keyHandle: world.handle('ec') }));
  });

  it('percent-encodes a key id', async () => {
    expect((await world.load('device id/1')).exit).toBe(0);
    expect((await world.takeRequests())[0]?.line).toBe('GET /keypair/device%20id%2F1?api-version=2021-05-01 HTTP/1.1');
  });

  it('gives the message of keyd for an unknown key id', async () => {
    const ended = await world.load('nobody');
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('a parameter has an invalid value');
    await world.takeRequests();
  });
});

describe('building', () => {
  it('does nothing, quickly, when the engine is up to date', async () => {
    const ended = await world.run([path.join(room, 'build.sh')]);
    expect(ended).toMatchObject({ exit: 0, stdout: '', stderr: '' });
    expect(ended.ms).toBeLessThan(1000);
  });

  it('says in one line which package is missing', async () => {
    const bare = world.file('bare');
    const tools = ['dirname', 'find', 'grep', 'mkdir', 'flock', 'touch'];
    await world.run([
      'sh',
      '-c',
      `mkdir -p "$0/bin" && cp "$1"/*.c "$1"/*.h "$1"/Makefile "$1"/build.sh "$0" && for tool in ${tools.join(' ')}; do ln -s "$(command -v $tool)" "$0/bin/$tool"; done`,
      bare,
      room,
    ]);
    mkdirSync(path.join(bare, 'build'), { recursive: true });
    const ended = await world.run(['/bin/sh', path.join(bare, 'build.sh')], { env: { PATH: path.join(bare, 'bin') } });
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toBe('cannot build the OpenSSL engine: gcc is missing; run: apt-get install gcc\n');
  });

  it('compiles every C file that is there', () => {
    const words = readFileSync(path.join(room, 'Makefile'), 'utf8').split(/\s+/);
    const sources = readdirSync(room).filter((file) => file.endsWith('.c'));
    expect(sources.length).toBeGreaterThan(10);
    expect(sources.filter((source) => !words.includes(source.slice(0, -2)))).toEqual([]);
  });
});
