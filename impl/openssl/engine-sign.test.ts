import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Recorded } from './test/stand-in-messages.ts';
import { buildEngine, World } from './test/world.ts';

let world: World;

beforeAll(async () => {
  buildEngine();
  world = new World(['ec', 'rsa', 'rsa4k', 'ca', 'srv-ec', 'srv-rsa', 'gone', 'p384', 'p521']);
  await world.startKeyd();
  for (const key of world.keys) {
    await world.run(['openssl', 'pkey', '-in', key.path, '-pubout', '-out', `${key.name}.pub`]);
  }
});

afterAll(() => world.close());

/** The requests after the three that load the key. */
async function operations(): Promise<readonly Recorded[]> {
  return (await world.takeRequests()).filter((request) => !request.path.startsWith('/parameters/'));
}

/** The bytes that the engine sent to be signed. */
function inputOf(request: Recorded | undefined): Buffer {
  const body = JSON.parse(request?.body ?? '{}');
  return Buffer.from(body.parameters?.digest ?? body.plaintext, 'base64');
}

async function expectGoodSignature(key: string, options: readonly string[]): Promise<void> {
  const verify = ['openssl', 'dgst', ...options, '-verify', `${key}.pub`, '-signature', 'sig', 'data'];
  expect((await world.run(verify)).stdout).toBe('Verified OK\n');
}

describe('ECDSA', () => {
  it.each([
    ['SSL-012', 'ec', 'sha256', 32],
    ['SSL-012', 'ec', 'sha1', 20],
    ['SSL-013', 'ec', 'sha384', 32],
    ['SSL-013', 'ec', 'sha512', 32],
    ['SSL-011', 'p384', 'sha384', 48],
    ['SSL-011', 'p384', 'sha512', 48],
    ['SSL-011', 'p521', 'sha512', 64],
  ] as const)('%s signs with %s and %s in one request with %i bytes of digest', async (_id, key, hash, bytes) => {
    expect((await world.sign(world.handle(key), [`-${hash}`])).exit).toBe(0);
    const requests = await operations();
    expect(requests.map((request) => request.path)).toEqual(['/sign']);
    expect(inputOf(requests[0])).toHaveLength(bytes);
    await expectGoodSignature(key, [`-${hash}`]);
  });

  it('SSL-017 does not derive a shared secret', async () => {
    const ended = await world.run(
      [
        'openssl',
        'pkeyutl',
        '-derive',
        '-engine',
        'aziot_keys',
        '-keyform',
        'engine',
        '-inkey',
        world.handle('ec'),
      ].concat(['-peerkey', 'ca.pub', '-out', 'secret']),
    );
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('missing private key');
    expect(await operations()).toEqual([]);
  });
});

describe('RSA', () => {
  it.each([
    ['rsa', 'sha1', 35],
    ['rsa', 'sha256', 51],
    ['rsa', 'sha384', 67],
    ['rsa', 'sha512', 83],
    ['rsa4k', 'sha256', 51],
  ] as const)('SSL-014 signs PKCS#1 v1.5 with %s and %s in one request with %i bytes', async (key, hash, bytes) => {
    expect((await world.sign(world.handle(key), [`-${hash}`])).exit).toBe(0);
    const requests = await operations();
    expect(requests.map((request) => request.path)).toEqual(['/encrypt']);
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({ algorithm: 'RSA-PKCS1' });
    expect(inputOf(requests[0])).toHaveLength(bytes);
    await expectGoodSignature(key, [`-${hash}`]);
  });

  it.each([
    ['rsa', 'digest', 256],
    ['rsa', 'max', 256],
    ['rsa', '20', 256],
    ['rsa4k', 'digest', 512],
  ] as const)('SSL-015 signs PSS with %s and salt length %s in one request with %i bytes', async (key, salt, bytes) => {
    const options = ['-sha256', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', `rsa_pss_saltlen:${salt}`];
    expect((await world.sign(world.handle(key), options)).exit).toBe(0);
    const requests = await operations();
    expect(requests.map((request) => request.path)).toEqual(['/encrypt']);
    expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({ algorithm: 'RSA-NO-PADDING' });
    expect(inputOf(requests[0])).toHaveLength(bytes);
    await expectGoodSignature(key, options);
  });

  it('SSL-016 refuses X9.31 padding without asking keyd', async () => {
    const ended = await world.sign(world.handle('rsa'), ['-sha256', '-sigopt', 'rsa_padding_mode:x931']);
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('keyd signs PKCS#1 v1.5 and PSS only');
    expect(await operations()).toEqual([]);
  });

  it('SSL-016 does not decrypt', async () => {
    await world.run(['openssl', 'pkeyutl', '-encrypt', '-pubin', '-inkey', 'rsa.pub', '-in', 'dig', '-out', 'enc']);
    const engine = ['-engine', 'aziot_keys', '-keyform', 'engine', '-inkey', world.handle('rsa')];
    const ended = await world.run(['openssl', 'pkeyutl', '-decrypt', ...engine, '-in', 'enc']);
    expect(ended.exit).toBe(1);
    expect(ended.stdout).toBe('');
    expect(await operations()).toEqual([]);
  });
});

describe('what keeps the key in keyd', () => {
  it.each(['ec', 'rsa'])('writes no private key of %s to a file', async (key) => {
    const ended = await world.load(world.handle(key), ['-out', 'leak.pem']);
    expect(ended.exit).toBe(1);
    expect(await operations()).toEqual([]);
  });

  it('SSL-010 fails to sign when the pair is deleted after the load', async () => {
    await world.deleteKey('gone');
    const ended = await world.sign(world.handle('gone'));
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain('a parameter has an invalid value');
    expect((await operations()).map((request) => request.path)).toEqual(['/sign']);
  });
});

describe('certificates', () => {
  const engine = ['-engine', 'aziot_keys', '-keyform', 'engine'];

  it.each(['ec', 'rsa'])('SSL-019 signs a CSR with %s that verifies', async (key) => {
    const made = await world.run([
      'openssl',
      'req',
      '-new',
      ...engine,
      '-key',
      world.handle(key),
      '-subj',
      '/CN=TEST dev',
      '-out',
      'a.csr',
    ]);
    expect(made.exit).toBe(0);
    const verified = await world.run(['openssl', 'req', '-in', 'a.csr', '-verify', '-noout']);
    expect(verified.stderr + verified.stdout).toContain('self-signature verify OK');
    expect(await operations()).toHaveLength(1);
  });

  it('SSL-018 issues a CA, server and client certificates that verify', async () => {
    const ca = ['-subj', '/CN=TEST ca', '-days', '30', '-addext', 'basicConstraints=critical,CA:TRUE'];
    const root = ['openssl', 'req', '-x509', '-new', ...engine, '-key', world.handle('ca'), ...ca, '-out', 'ca.pem'];
    expect((await world.run(root)).exit).toBe(0);
    writeFileSync(world.file('ext'), 'extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=IP:127.0.0.1\n');
    for (const leaf of ['srv-ec', 'srv-rsa', 'ec', 'rsa']) {
      const csr = ['openssl', 'req', '-new', ...engine, '-key', world.handle(leaf), '-subj', `/CN=TEST ${leaf}`];
      expect((await world.run([...csr, '-out', 'leaf.csr'])).exit).toBe(0);
      const issue = ['openssl', 'x509', '-req', '-in', 'leaf.csr', '-CA', 'ca.pem', '-CAkeyform', 'engine'];
      const more = ['-engine', 'aziot_keys', '-CAkey', world.handle('ca'), '-days', '5', '-extfile', 'ext'];
      expect((await world.run([...issue, ...more, '-out', 'leaf.pem'])).exit).toBe(0);
      const verified = await world.run(['openssl', 'verify', '-CAfile', 'ca.pem', 'leaf.pem']);
      expect(verified.stdout).toBe('leaf.pem: OK\n');
    }
    await world.takeRequests();
  });

  it('SSL-032 asks keyd in the documented form, each request in one write', async () => {
    await world.takeRequests();
    await world.sign(world.handle('ec'));
    await world.sign(world.handle('rsa'));
    const requests = await world.takeRequests();
    expect(requests).toHaveLength(8);
    for (const request of requests) {
      expect(request.line).toBe(`POST ${request.path}?api-version=2021-05-01 HTTP/1.1`);
      expect(request.headers).toEqual([
        'host: keyd.sock',
        `content-length: ${Buffer.byteLength(request.body)}`,
        'content-type: application/json',
      ]);
      expect(request.writes).toHaveLength(1);
      expect(JSON.stringify(JSON.parse(request.body))).toBe(request.body);
    }
    expect(Object.keys(JSON.parse(requests[0]?.body ?? ''))).toEqual(['keyHandle']);
    expect(Object.keys(JSON.parse(requests[3]?.body ?? ''))).toEqual(['keyHandle', 'algorithm', 'parameters']);
    expect(Object.keys(JSON.parse(requests[7]?.body ?? ''))).toEqual(['keyHandle', 'algorithm', 'plaintext']);
  });
});
