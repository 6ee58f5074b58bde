import { generateKeyPairSync, sign } from 'node:crypto';
import { connect, type TLSSocket } from 'node:tls';

// A process of its own: enrolments over TLS, again and again. The load comes as JSON in the first argument, the rate goes to standard output.
interface Load {
  readonly url: string;
  readonly connections: number;
  readonly keepAlive: boolean;
  readonly seconds: number;
  /** Or so many requests, whatever time they take. */
  readonly requests?: number;
}

const load = JSON.parse(process.argv[2] ?? '') as Load;
const { hostname, port, pathname } = new URL(load.url);

const der = (tag: number, ...parts: Buffer[]): Buffer => {
  const content = Buffer.concat(parts);
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
};

function makeRequest(): string {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const commonName = der(0x30, Buffer.from('0603550403', 'hex'), der(0x0c, Buffer.from('TEST bench')));
  const subject = der(0x30, der(0x31, commonName));
  const info = der(
    0x30,
    Buffer.from('020100', 'hex'),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa0),
  );
  const algorithm = Buffer.from('300a06082a8648ce3d040302', 'hex');
  const bits = der(0x03, Buffer.of(0), sign('sha256', info, privateKey));
  return der(0x30, info, algorithm, bits).toString('base64');
}

const body = makeRequest();
const text = `POST ${pathname} HTTP/1.1\r\nhost: bench\r\nauthorization: Basic ${Buffer.from('device:secret').toString('base64')}\r\ncontent-type: application/pkcs10\r\ncontent-length: ${body.length}\r\n${load.keepAlive ? '' : 'connection: close\r\n'}\r\n${body}`;

const open = (): TLSSocket =>
  connect({ host: '127.0.0.1', servername: hostname, port: Number(port), rejectUnauthorized: false }).on(
    'error',
    () => {},
  );

/** True for a 200 that came whole. */
function exchange(socket: TLSSocket): Promise<boolean> {
  return new Promise((resolve) => {
    let got = '';
    const done = (ok: boolean) => {
      socket.removeAllListeners('data').removeAllListeners('close');
      resolve(ok);
    };
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
      const head = got.indexOf('\r\n\r\n');
      const length = /content-length: (\d+)/i.exec(got)?.[1];
      if (head >= 0 && length !== undefined && got.length >= head + 4 + Number(length))
        done(got.startsWith('HTTP/1.1 200'));
    });
    socket.once('close', () => done(false));
    socket.write(text);
  });
}

let left = load.requests ?? Number.POSITIVE_INFINITY;
let answered = 0;
let failures = 0;
const begin = performance.now();
const end = load.requests === undefined ? begin + load.seconds * 1000 : Number.POSITIVE_INFINITY;

async function caller(): Promise<void> {
  let socket: TLSSocket | undefined;
  while (performance.now() < end && left > 0) {
    left--;
    socket ??= open();
    if (await exchange(socket)) answered++;
    else failures++;
    if (!load.keepAlive) {
      socket.destroy();
      socket = undefined;
    }
  }
  socket?.destroy();
}

await Promise.all(Array.from({ length: load.connections }, caller));
process.stdout.write(JSON.stringify({ requestsPerSecond: (answered * 1000) / (performance.now() - begin), failures }));
