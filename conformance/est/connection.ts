import { readFileSync } from 'node:fs';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { type Context, group } from '../runner/index.ts';
import { basicHeader, send } from './client.ts';
import { expectStatus, expectThat, needed } from './expect.ts';
import { makeRequest } from './openssl.ts';
import { type EstTarget, estTarget } from './target.ts';

const LIMIT_MS = 20_000;
const EXPORTER = 'EXPORTER-Channel-Binding';

function open(target: EstTarget, options: ConnectionOptions = {}): Promise<TLSSocket> {
  const { hostname, port } = new URL(target.url);
  return new Promise((resolve, reject) => {
    const ca = readFileSync(target.rootPem);
    const socket = connect({ host: hostname, servername: hostname, port: Number(port || 443), ca, ...options });
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error(`silence for ${LIMIT_MS} ms`)));
    socket.once('secureConnect', () => resolve(socket));
    socket.once('error', reject);
  });
}

/** Sends text and gives status numbers of the answers that came, once so many are there or the connection is closed. */
function talk(socket: TLSSocket, text: string, answers: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    let got = '';
    const look = (isOver: 'over' | 'open') => {
      const statuses = [...got.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
      if (statuses.length >= answers || isOver === 'over') resolve(statuses);
    };
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
      look('open');
    });
    socket.once('close', () => look('over'));
    socket.once('error', reject);
    socket.write(text);
  });
}

async function over<T>(
  options: ConnectionOptions,
  work: (socket: TLSSocket, target: EstTarget) => Promise<T>,
): Promise<T> {
  const target = await estTarget();
  const socket = await open(target, options);
  try {
    return await work(socket, target);
  } finally {
    socket.destroy();
  }
}

const pathOf = ({ url }: EstTarget, operation: string) => `${new URL(url).pathname}/${operation}`;

/** An enrolment with a challengePassword made from the connection that it is sent over, or from nothing of it. */
function tied(
  context: Context,
  version: 'TLSv1.2' | 'TLSv1.3',
  binding: (socket: TLSSocket) => Buffer | undefined,
): Promise<number | undefined> {
  return over({ minVersion: version, maxVersion: version }, async (socket, target) => {
    const basic = needed(context, target.basic, 'basic');
    const { label } = needed(context, target.possession, 'possession');
    const value = binding(socket);
    const { der } = await makeRequest(value ? { challengePassword: value.toString('base64') } : {});
    const body = der.toString('base64');
    const head = `POST ${pathOf(target, `${label}/simpleenroll`)} HTTP/1.1\r\nhost: x\r\nauthorization: ${basicHeader(basic)}\r\n`;
    const rest = `content-type: application/pkcs10\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    return (await talk(socket, head + rest, 1))[0];
  });
}

const expectOne = (came: number | undefined, wanted: number) => expectThat(`status ${wanted}`, came === wanted, came);

export const connection = group('EST connection', {
  'ESTS-080': [
    'TLS 1.2 and 1.3 are spoken, and nothing older (RFC 7030 3.3.1, RFC 9325)',
    'spec',
    async () => {
      for (const version of ['TLSv1.2', 'TLSv1.3'] as const)
        await over({ minVersion: version, maxVersion: version }, async (socket) => {
          expectThat(version, socket.getProtocol() === version, socket.getProtocol());
        });
      const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
      const opened = await over(old, async () => 'opened').catch(() => 'refused');
      expectThat('a refused handshake with TLS 1.1', opened === 'refused', opened);
    },
  ],
  'ESTS-081': [
    'the certificate of the server is for its name and leads to the given anchors',
    'spec',
    async () => {
      await over({}, async (socket) => expectThat('a verified server', socket.authorized, socket.authorizationError));
    },
  ],
  'ESTS-082': [
    'several requests go over one connection',
    'spec',
    async () => {
      await over({}, async (socket, target) => {
        const one = `GET ${pathOf(target, 'cacerts')} HTTP/1.1\r\nhost: x\r\n\r\n`;
        expectOne((await talk(socket, one, 1))[0], 200);
        expectOne((await talk(socket, one, 1))[0], 200);
      });
    },
  ],
  'ESTS-083': [
    'a target in absolute form is taken (RFC 9112 3.2.2)',
    'spec',
    async () => {
      await over({}, async (socket, target) => {
        const one = `GET ${target.url}/cacerts HTTP/1.1\r\nhost: x\r\n\r\n`;
        expectOne((await talk(socket, one, 1))[0], 200);
      });
    },
  ],
  'ESTS-084': [
    'what is no HTTP is answered by 400 or a closed connection, and the server lives',
    'inferred',
    async () => {
      for (const text of ['\0\x01\x02\r\n\r\n', 'GET\r\n\r\n', 'POST /x HTTP/1.1\r\ncontent-length: -1\r\n\r\n']) {
        const statuses = await over({}, (socket) => talk(socket, text, 1));
        expectThat(
          '400 or nothing',
          statuses.every((status) => status >= 400 && status < 500),
          statuses,
        );
      }
      expectStatus(await send(await estTarget(), { operation: 'cacerts' }), 200);
    },
  ],
  'ESTS-085': [
    'possession under TLS 1.2: challengePassword with the base64 of tls-unique is taken, of another connection and none are not (RFC 7030 3.5)',
    'spec',
    async (context) => {
      expectOne(await tied(context, 'TLSv1.2', (socket) => socket.getFinished()), 200);
      expectOne(await tied(context, 'TLSv1.2', () => Buffer.alloc(12, 1)), 400);
      expectOne(await tied(context, 'TLSv1.2', () => undefined), 400);
    },
  ],
  'ESTS-086': [
    'possession under TLS 1.3: the same with tls-exporter (RFC 9266)',
    'spec',
    async (context) => {
      const exported = (socket: TLSSocket) => socket.exportKeyingMaterial(32, EXPORTER, Buffer.alloc(0));
      expectOne(await tied(context, 'TLSv1.3', exported), 200);
      expectOne(await tied(context, 'TLSv1.3', () => Buffer.alloc(32, 1)), 400);
    },
  ],
});
