import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Behaviour } from './test/stand-in-messages.ts';
import { buildEngine, type Ended, World } from './test/world.ts';

let world: World;

beforeAll(async () => {
  buildEngine();
  world = new World(['ec', 'rsa']);
  await world.startKeyd();
});

afterEach(async () => {
  await world.behave();
  await world.takeRequests();
});

afterAll(() => world.close());

/** Loads the EC key with keyd answering in a certain way; waits for keyd at most `timeoutMs`. */
async function loadWith(behaviour: Behaviour, timeoutMs = 1000): Promise<Ended> {
  await world.behave([behaviour]);
  return world.load(world.handle('ec'), ['-noout'], { env: { AZIOT_KEYD_TIMEOUT_MS: String(timeoutMs) } });
}

async function signWith(key: string, behaviour: Behaviour): Promise<Ended> {
  await world.behave([behaviour]);
  return world.sign(world.handle(key));
}

/** Failed with an error on OpenSSL's queue, and said nothing of the handle there. */
function expectError(ended: Ended, text: string): void {
  expect(ended.exit).toBe(1);
  const errors = ended.stderr.split('\n').filter((line) => line.includes('error:'));
  expect(errors.join('\n')).toContain('aziot_key_openssl_engine');
  expect(ended.stderr).toContain(text);
  expect(errors.join('\n')).not.toContain('sr=');
}

const json = 'content-type: application/json';
const length = 'content-length: {{length}}';

describe('answers that are accepted', () => {
  it.each<[string, Behaviour]>([
    ['SSL-027 a head split over two reads', { splitAt: 10 }],
    ['SSL-027 a head split inside its end', { splitAt: 64 }],
    ['a body that comes later than the head', { splitAt: 75 }],
    ['SSL-029 a charset', { head: ['HTTP/1.1 200 OK', 'Content-Type: Application/JSON; charset=utf-8', length] }],
    ['no content-length', { head: ['HTTP/1.1 200 OK', json] }],
    ['HTTP/1.0', { head: ['HTTP/1.0 200 OK', json, length] }],
    ['201', { status: 201 }],
    ['a connection that stays open', { keepOpen: true }],
    ['30 headers', { head: ['HTTP/1.1 200 OK', json, length, ...Array<string>(30).fill('x-more: 1')] }],
    ['a head over 512 bytes', { head: ['HTTP/1.1 200 OK', json, length, `x-more: ${'a'.repeat(2000)}`] }],
    ['an answer after a while', { delayMs: 700 }],
  ])('%s', async (_name, behaviour) => {
    expect(await loadWith(behaviour)).toMatchObject({ exit: 0 });
    expect(await world.takeRequests()).toHaveLength(3);
  });
});

describe('answers that are refused', () => {
  it.each<[string, Behaviour, string]>([
    ['chunks', { head: ['HTTP/1.1 200 OK', json, 'transfer-encoding: chunked'] }, 'transfer-encoding'],
    ['no HTTP', { raw: 'SSH-2.0-OpenSSH_9.2\r\n\r\n' }, 'does not begin with an HTTP/1.1 status line'],
    ['HTTP/2', { raw: 'HTTP/2.0 200 OK\r\n\r\n' }, 'does not begin with an HTTP/1.1 status line'],
    ['202', { status: 202 }, 'unexpected status 202'],
    ['302', { status: 302 }, 'unexpected status 302'],
    ['no content type', { head: ['HTTP/1.1 200 OK', length] }, 'content-type is not application/json'],
    ['text', { head: ['HTTP/1.1 200 OK', length, 'content-type: text/plain'] }, 'content-type'],
    ['two lengths', { head: ['HTTP/1.1 200 OK', json, length, 'content-length: 1'] }, 'two different content-lengths'],
    ['a huge length', { head: ['HTTP/1.1 200 OK', json, 'content-length: 99999999'] }, 'too large'],
    ['an endless head', { raw: `HTTP/1.1 200 OK\r\nx: ${'a'.repeat(20_000)}` }, 'head is too long'],
    ['an endless body', { raw: `HTTP/1.1 200 OK\r\n${json}\r\n\r\n${'a'.repeat(300_000)}` }, 'too long'],
    ['no JSON', { body: 'ECDSA' }, 'is not a JSON object'],
    ['JSON with more behind', { body: '{"value":"ECDSA"}x' }, 'is not a JSON object'],
    ['the member twice', { body: '{"value":"ECDSA","value":"RSA"}' }, 'is not a JSON object'],
    ['no member', { body: '{"other":"ECDSA"}' }, 'is not a JSON object'],
    ['a number', { body: '{"value":1}' }, 'is not a JSON object'],
    ['deep JSON', { body: `{"a":${'['.repeat(40)}${']'.repeat(40)},"value":"ECDSA"}` }, 'is not a JSON object'],
    ['an unknown algorithm', { body: '{"value":"FOO"}' }, 'unrecognized key algorithm FOO'],
    [
      '500 without JSON',
      { head: ['HTTP/1.1 500 X', length], body: 'oops' },
      'keyd answered POST /parameters/algorithm with status 500',
    ],
    ['SSL-027 a close in the head', { splitAt: 10, closeAfterSplit: true }, 'in the middle of it'],
    ['SSL-027 a close in the body', { splitAt: 75, closeAfterSplit: true }, 'in the middle of it'],
  ])('%s', async (_name, behaviour, text) => {
    const ended = await loadWith(behaviour);
    expectError(ended, text);
    expect(ended.ms).toBeLessThan(3000);
    expect(await world.takeRequests()).toHaveLength(1);
  });

  it.each<[string, Behaviour, string]>([
    ['a point off the curve', { path: '/parameters/ec-point', body: '{"value":"AgEB"}' }, 'not a point of the key'],
    ['an unknown curve', { path: '/parameters/ec-curve-oid', body: '{"value":"AAAA"}' }, 'unrecognized curve'],
    ['loose base64', { path: '/parameters/ec-point', body: '{"value":"AgE"}' }, 'not base64'],
  ])('%s', async (_name, behaviour, text) => {
    expectError(await loadWith(behaviour), text);
  });

  it('a modulus that is no modulus', async () => {
    await world.behave([{ path: '/parameters/rsa-modulus', body: '{"value":"AAAA"}' }]);
    expectError(await world.load(world.handle('rsa')), 'not a usable RSA key');
  });

  it('never repeats a handle that keyd puts into its message', async () => {
    const ended = await loadWith({ status: 400, body: JSON.stringify({ message: `bad ${world.handle('ec')}` }) });
    expectError(ended, 'keyd answered POST /parameters/algorithm with status 400');
  });
});

describe('signatures that are refused', () => {
  const encode = (bytes: number[] | Buffer) => Buffer.from(bytes).toString('base64');
  const sign = (bytes: number[]): Behaviour => ({ path: '/sign', body: JSON.stringify({ signature: encode(bytes) }) });
  const encrypt = (size: number): Behaviour => ({
    path: '/encrypt',
    body: JSON.stringify({ ciphertext: encode(Buffer.alloc(size, 1)) }),
  });

  it.each<[string, Behaviour]>([
    ['malformed DER', sign([0x30, 0x20, 1, 2, 3])],
    ['an empty signature', sign([])],
    ['bytes after the DER', sign([0x30, 6, 2, 1, 1, 2, 1, 1, 0])],
    ['numbers with needless zeros', sign([0x30, 7, 2, 2, 0, 1, 2, 1, 1])],
    ['a length in a long form', sign([0x30, 0x81, 6, 2, 1, 1, 2, 1, 1])],
    ['a zero', sign([0x30, 6, 2, 1, 0, 2, 1, 1])],
    ['a negative number', sign([0x30, 6, 2, 1, 0x80, 2, 1, 1])],
    ['a number above the order', sign([0x30, 38, 2, 33, 0, ...Array<number>(32).fill(255), 2, 1, 1])],
  ])('SSL-030 EC: %s', async (_name, behaviour) => {
    expectError(await signWith('ec', behaviour), 'is not an exact DER ECDSA signature');
  });

  it.each([0, 10, 255, 257, 4096])('SSL-030 RSA: %i bytes for a key of 256', async (size) => {
    expectError(await signWith('rsa', encrypt(size)), `keyd's signature has ${size} bytes, and the key 256`);
  });

  it('signature that is not base64', async () => {
    expectError(await signWith('ec', { path: '/sign', body: '{"signature":"MAYCAQECAQE"}' }), 'not base64');
  });

  it('the message of keyd is the text of the error', async () => {
    const ended = await signWith('ec', { path: '/sign', status: 500, body: '{"message":"internal \\u00fcerror"}' });
    expectError(ended, ':internal üerror:');
  });
});

describe('a keyd that is away, slow or overloaded', () => {
  it('SSL-027 comes back when keyd closes before the first byte', async () => {
    expect(await loadWith({ close: true, times: 4 }, 5000)).toMatchObject({ exit: 0 });
    expect((await world.takeJournal()).closedWithoutAnswer).toBe(4);
  });

  it('SSL-027 gives up, having paused between tries, when keyd always closes', async () => {
    const ended = await loadWith({ close: true }, 1000);
    expectError(ended, 'closes every connection without answering');
    expect(ended.ms).toBeGreaterThan(300);
    expect(ended.ms).toBeLessThan(3000);
    expect((await world.takeJournal()).closedWithoutAnswer).toBeLessThan(30);
  });

  it('SSL-028 gives up on a keyd that never answers', async () => {
    const ended = await loadWith({ silent: true }, 500);
    expectError(ended, 'did not answer POST /parameters/algorithm in time');
    expect(ended.ms).toBeGreaterThan(450);
    expect(ended.ms).toBeLessThan(3000);
  });

  it('SSL-028 gives up on an answer that stops in its middle', async () => {
    const ended = await loadWith({ splitAt: 20, gapMs: 20_000 });
    expectError(ended, 'did not answer POST /parameters/algorithm in time');
    expect(ended.ms).toBeLessThan(8000);
  });

  it('SSL-028 gives up on a keyd that is stopped by a signal, and works when it goes on', async () => {
    world.signalKeyd('SIGSTOP');
    const ended = await world.load(world.handle('ec'), ['-noout'], { env: { AZIOT_KEYD_TIMEOUT_MS: '400' } });
    world.signalKeyd('SIGCONT');
    expectError(ended, 'did not answer');
    expect((await world.load(world.handle('ec'))).exit).toBe(0);
  });

  it('tries again after 503, as long as keyd asks for', async () => {
    const busy: Behaviour = {
      raw: 'HTTP/1.1 503 X\r\ncontent-type: text/plain\r\nretry-after: 1\r\n\r\nbusy',
      times: 1,
    };
    const ended = await loadWith(busy, 5000);
    expect(ended.exit).toBe(0);
    expect(ended.ms).toBeGreaterThan(450);
    await world.behave([{ ...busy, times: 1000 }]);
    const env = { AZIOT_KEYD_TIMEOUT_MS: '400' };
    expectError(await world.load(world.handle('ec'), ['-noout'], { env }), 'is too busy to answer');
  });

  it('does not wait for a token that is away: the message of keyd is the error', async () => {
    const body = '{"message":"the token that holds the key does not answer"}';
    const head = ['HTTP/1.1 503 X', json, length, 'retry-after: 1'];
    const ended = await loadWith({ head, body }, 5000);
    expectError(ended, 'the token that holds the key does not answer');
    expect(ended.ms).toBeLessThan(2000);
  });

  it('SSL-031 says which group the caller must be in when it may not connect', async () => {
    writeFileSync(world.file('ask.sh'), 'exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"');
    await world.run(['sh', '-c', 'mkdir -p closed && chmod 700 closed']);
    const command = [
      'openssl',
      'pkey',
      '-engine',
      'aziot_keys',
      '-inform',
      'engine',
      '-in',
      world.handle('ec'),
      '-noout',
    ];
    const env = { AZIOT_KEYD_SOCKET: world.file('closed/keyd.sock') };
    const root = process.getuid?.() === 0;
    await world.run(['chmod', '755', '.']);
    const ended = await world.run(root ? ['sh', 'ask.sh', ...command] : command, { env });
    expect(ended.exit).toBe(1);
    expect(ended.stderr).toContain(root ? 'Permission denied; the caller must be in group aziotks' : 'cannot connect');
  });
});
