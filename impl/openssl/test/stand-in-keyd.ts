/**
 * A stand-in for keyd that answers the engine's four kinds of request over a unix socket, and that can be told to
 * answer wrongly. It is a process of its own, because the engine blocks the thread that uses it. It is driven by
 * messages from the parent (`child_process.fork`): see `Order` and `Report`.
 */
import { execFile } from 'node:child_process';
import { constants, createPrivateKey, createPublicKey, type KeyObject, privateEncrypt } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Behaviour, KeyFile, Order, Recorded, Report } from './stand-in-messages.ts';

interface StoredKey {
  readonly file: KeyFile;
  readonly key: KeyObject;
  deleted: boolean;
}

interface Reply {
  readonly status: number;
  readonly body: string;
}

const curveOids: Record<string, string> = {
  prime256v1: '06082a8648ce3d030107',
  secp384r1: '06052b81040022',
  secp521r1: '06052b81040023',
  secp256k1: '06052b8104000a',
};

const keys = new Map<string, StoredKey>();
const journal: Recorded[] = [];
let behaviours: Behaviour[] = [];
let maxConnections = Number.POSITIVE_INFINITY;
let openConnections = 0;
let closedWithoutAnswer = 0;

function refuse(status: number, message: string): Reply {
  return { status, body: JSON.stringify({ message }) };
}

const invalidHandle = refuse(400, 'parameter "handle" has an invalid value\ncaused by: invalid handle');
const invalidParameter = refuse(400, 'a parameter has an invalid value');

function ok(member: string, value: string | Buffer): Reply {
  return {
    status: 200,
    body: JSON.stringify({ [member]: typeof value === 'string' ? value : value.toString('base64') }),
  };
}

function findByHandle(handle: unknown): StoredKey | undefined {
  return [...keys.values()].find((stored) => stored.file.handle === handle);
}

function ecPoint(key: KeyObject, compressed: boolean): Buffer {
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  const [x, y] = [jwk.x, jwk.y].map((part) => Buffer.from(part ?? '', 'base64url')) as [Buffer, Buffer];
  return compressed
    ? Buffer.concat([Buffer.from([2 + ((y.at(-1) ?? 0) & 1)]), x])
    : Buffer.concat([Buffer.from([4]), x, y]);
}

function parameter(stored: StoredKey, name: string): Reply {
  const { key, file } = stored;
  if (file.kind === 'symmetric') return refuse(500, 'internal error');
  const ec = key.asymmetricKeyType === 'ec';
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  if (name === 'algorithm') return ok('value', ec ? 'ECDSA' : 'RSA');
  if (name === 'ec-curve-oid' && ec) {
    return file.kind === 'unsupported' ? invalidParameter : ok('value', Buffer.from(curveOids[curve] ?? '', 'hex'));
  }
  if (name === 'ec-point' && ec) return ok('value', ecPoint(key, file.kind !== 'uncompressed'));
  const jwk = createPublicKey(key).export({ format: 'jwk' });
  if (name === 'rsa-modulus' && !ec) return ok('value', Buffer.from(jwk.n ?? '', 'base64url'));
  if (name === 'rsa-exponent' && !ec) return ok('value', Buffer.from(jwk.e ?? '', 'base64url'));
  return invalidParameter;
}

function signDigest(stored: StoredKey, digest: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      'openssl',
      ['pkeyutl', '-sign', '-inkey', stored.file.path],
      { encoding: 'buffer' },
      (error, stdout) => (error === null ? resolve(stdout) : reject(error)),
    );
    child.stdin?.end(digest);
  });
}

async function operate(path: string, body: Record<string, unknown>): Promise<Reply> {
  const stored = findByHandle(body['keyHandle']);
  if (stored === undefined) return invalidHandle;
  if (path.startsWith('/parameters/')) return parameter(stored, path.slice('/parameters/'.length));
  if (stored.deleted) return invalidParameter;
  if (path === '/sign' && body['algorithm'] === 'ECDSA') {
    const parameters = body['parameters'] as { digest: string };
    return ok('signature', await signDigest(stored, Buffer.from(parameters.digest, 'base64')));
  }
  if (path === '/encrypt') {
    const padding = body['algorithm'] === 'RSA-PKCS1' ? constants.RSA_PKCS1_PADDING : constants.RSA_NO_PADDING;
    return ok(
      'ciphertext',
      privateEncrypt({ key: stored.key, padding }, Buffer.from(String(body['plaintext']), 'base64')),
    );
  }
  return refuse(404, 'not found');
}

async function answer(request: Recorded): Promise<Reply> {
  const path = request.path;
  if (request.method === 'GET' && path.startsWith('/keypair/')) {
    const stored = keys.get(decodeURIComponent(path.slice('/keypair/'.length)));
    return stored === undefined ? invalidParameter : ok('keyHandle', stored.file.handle);
  }
  return operate(path, request.body === '' ? {} : JSON.parse(request.body));
}

function behaviourFor(request: Recorded): Behaviour | undefined {
  const found = behaviours.find((one) => one.path === undefined || request.path === one.path);
  if (found?.times !== undefined) {
    found.times--;
    if (found.times === 0) behaviours = behaviours.filter((one) => one !== found);
  }
  return found;
}

function render(reply: Reply, behaviour: Behaviour | undefined): Buffer {
  const body = behaviour?.body ?? reply.body;
  const status = behaviour?.status ?? reply.status;
  const head = behaviour?.head ?? [
    `HTTP/1.1 ${status} X`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  const text = head.map((line) => `${line.replace('{{length}}', String(Buffer.byteLength(body)))}\r\n`).join('');
  return Buffer.from(behaviour?.raw ?? `${text}\r\n${body}${behaviour?.extra ?? ''}`);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function serve(request: Recorded, socket: Socket): Promise<void> {
  const behaviour = behaviourFor(request);
  if (behaviour?.silent === true) return;
  if (behaviour?.close === true) {
    closedWithoutAnswer++;
    socket.destroy();
    return;
  }
  const reply = await answer(request);
  if (behaviour?.delayMs !== undefined) await wait(behaviour.delayMs);
  const bytes = render(reply, behaviour);
  if (behaviour?.splitAt !== undefined) {
    socket.write(bytes.subarray(0, behaviour.splitAt));
    await wait(behaviour.gapMs ?? 30);
    if (behaviour.closeAfterSplit !== true) socket.end(bytes.subarray(behaviour.splitAt));
    else socket.destroy();
  } else if (behaviour?.keepOpen === true) {
    socket.write(bytes);
  } else {
    socket.end(bytes);
  }
}

function parse(bytes: Buffer, writes: number[]): Recorded | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const [line = '', ...headers] = bytes.subarray(0, headEnd).toString('latin1').split('\r\n');
  const length = Number(/^content-length: (\d+)$/m.exec(headers.join('\n'))?.[1] ?? 0);
  const body = bytes.subarray(headEnd + 4);
  if (body.length < length) return undefined;
  const [method = '', target = ''] = line.split(' ');
  return { line, method, path: target.split('?')[0] ?? '', headers, body: body.toString(), writes };
}

function accept(socket: Socket): void {
  socket.on('error', () => undefined);
  if (openConnections >= maxConnections) {
    closedWithoutAnswer++;
    socket.destroy();
    return;
  }
  openConnections++;
  socket.on('close', () => openConnections--);
  let received = Buffer.alloc(0);
  const writes: number[] = [];
  let done = false;
  socket.on('data', (piece) => {
    writes.push(piece.length);
    received = Buffer.concat([received, piece]);
    const request = done ? undefined : parse(received, writes);
    if (request === undefined) return;
    done = true;
    journal.push(request);
    serve(request, socket).catch(() => socket.destroy());
  });
}

function report(message: Report): void {
  process.send?.(message);
}

const server = createServer(accept);

function listen(socketPath: string): void {
  rmSync(socketPath, { force: true });
  server.listen(socketPath, () => report({ kind: 'done' }));
}

process.on('message', (order: Order) => {
  switch (order.kind) {
    case 'listen':
      for (const file of order.keys) {
        const pem = file.kind === 'symmetric' ? order.keys[0]?.path : file.path;
        keys.set(file.name, { file, key: createPrivateKey(readFileSync(pem ?? '')), deleted: false });
      }
      listen(order.socketPath);
      return;
    case 'behave':
      behaviours = order.behaviours.map((one) => ({ ...one }));
      maxConnections = order.maxConnections ?? Number.POSITIVE_INFINITY;
      report({ kind: 'done' });
      return;
    case 'delete': {
      const stored = keys.get(order.name);
      if (stored !== undefined) stored.deleted = true;
      report({ kind: 'done' });
      return;
    }
    case 'take':
      report({ kind: 'journal', requests: journal.splice(0), closedWithoutAnswer });
      closedWithoutAnswer = 0;
      return;
    default:
      order satisfies never;
  }
});

process.on('disconnect', () => process.exit(0));
