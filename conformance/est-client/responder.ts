import { createPublicKey } from 'node:crypto';
import { createServer as createHttp, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { Pkcs10CertificateRequest, type X509Certificate } from '@peculiar/x509';
import { type Authorities, issue, newKey, pemOf } from './ca.ts';
import { type BodyForm, bodyOf } from './message.ts';

/** What one operation does wrong. */
export interface Quirk {
  readonly body?: BodyForm;
  readonly ctype?: string;
  readonly status?: number;
  readonly retry_after?: number;
  readonly location?: string;
  /** So many requests only. */
  readonly times?: number;
  /** Only where this client certificate (its subject) is presented. */
  readonly client?: string;
  /** Not the first ones. */
  readonly skip?: number;
  readonly chain?: 'full' | 'reversed' | 'twice';
  readonly key?: 'other';
  /** Seconds. */
  readonly lifetime?: number;
  readonly backdate?: number;
  readonly close?: boolean;
  readonly cut?: boolean;
  readonly delay?: number;
  readonly hang?: boolean;
}

/** How the server behaves. */
export interface Behaviour {
  readonly auth: 'basic' | 'cert' | 'both' | 'either' | 'none';
  readonly quirks?: Readonly<Record<string, Quirk>>;
  readonly cert?: 'wrong-host';
  readonly tls_max?: '1.2';
  readonly issues?: { readonly lifetime?: number };
  readonly users?: readonly string[];
}

/** A request as the server saw it. */
export interface Seen {
  readonly connection: number;
  /** Method and target. */
  readonly request: string;
  readonly headers: readonly string[];
  readonly body: string;
  readonly status: number;
  readonly tls: { readonly version: string; readonly sni: string | null; readonly client: string | null } | undefined;
}

/** A small EST server for one test; it must not know anything of the daemons. */
export interface Responder {
  readonly port: number;
  readonly httpPort: number;
  readonly seen: readonly Seen[];
  readonly issued: readonly X509Certificate[];
  readonly connections: number;
  close(): Promise<void>;
}

const sleep = (milliseconds: number) => new Promise<void>((done) => setTimeout(done, milliseconds).unref());

async function read(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('latin1')) text += chunk;
  return text;
}

/** Starts one on 127.0.0.1, on free ports unless some are given. */
export async function startResponder(
  ca: Authorities,
  behaviour: Behaviour,
  ports: { readonly port: number; readonly httpPort: number } = { port: 0, httpPort: 0 },
): Promise<Responder> {
  const seen: Seen[] = [];
  const issued: X509Certificate[] = [];
  const served = new Map<string, number>();
  const numbers = new WeakMap<object, number>();
  let connections = 0;

  const activeQuirk = (operation: string, client: string | null): Quirk => {
    const quirk = behaviour.quirks?.[operation] ?? behaviour.quirks?.['*'] ?? {};
    if (quirk.client !== undefined && quirk.client !== client) return {};
    const count = served.get(operation) ?? 0;
    served.set(operation, count + 1);
    const over = quirk.times !== undefined && count - (quirk.skip ?? 0) >= quirk.times;
    return over || count < (quirk.skip ?? 0) ? {} : quirk;
  };

  const admits = (request: IncomingMessage, client: string | null): boolean => {
    const { auth, users = ['Basic ZXN0dXNlcjplc3Rwd2Q=', 'Basic w7xzZXI6cDp3IMOp'] } = behaviour;
    const basic = users.includes(request.headers.authorization ?? '');
    if (auth === 'basic' || auth === 'both') return basic;
    return auth === 'either' ? basic || client !== null : true;
  };

  const certificates = async (operation: string, body: string, quirk: Quirk): Promise<X509Certificate[]> => {
    const authorities = [ca.issuing.certificate, ca.root.certificate];
    if (operation === 'cacerts') return authorities;
    const csr = new Pkcs10CertificateRequest(Buffer.from(body, 'base64'));
    const own = createPublicKey({ key: Buffer.from(csr.publicKey.rawData), format: 'der', type: 'spki' });
    const publicKey = quirk.key === 'other' ? newKey().publicKey : own;
    const seconds = quirk.lifetime ?? behaviour.issues?.lifetime ?? 90 * 86_400;
    const leaf = await issue(
      { subject: csr.subjectName, publicKey, fromMs: -(quirk.backdate ?? 0) * 1000, toMs: seconds * 1000 },
      ca.issuing,
    );
    issued.push(leaf);
    if (quirk.chain === 'full') return [leaf, ...authorities];
    if (quirk.chain === 'reversed') return [...authorities].reverse().concat(leaf);
    return quirk.chain === 'twice' ? [leaf, leaf] : [leaf];
  };

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { socket } = request;
    const body = await read(request);
    const operation = (request.url ?? '').split('/').at(-1) ?? '';
    const tlsSocket = 'getProtocol' in socket ? (socket as TLSSocket) : undefined;
    const subject = tlsSocket?.getPeerX509Certificate()?.subject ?? null;
    const quirk = activeQuirk(operation, subject);
    const allowed = admits(request, subject);
    const known = operation === 'simpleenroll' || operation === 'cacerts';
    const status = !known ? 404 : allowed ? (quirk.status ?? 200) : 401;
    const { rawHeaders } = request;
    seen.push({
      connection: numbers.get(socket) ?? 0,
      request: `${request.method} ${request.url}`,
      headers: rawHeaders.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${rawHeaders[index + 1]}`] : [])),
      body,
      status,
      tls: tlsSocket && {
        version: tlsSocket.getProtocol() ?? '',
        sni: typeof tlsSocket.servername === 'string' && tlsSocket.servername !== '' ? tlsSocket.servername : null,
        client: subject,
      },
    });
    if (quirk.hang) return;
    if (quirk.close) {
      socket.destroy();
      return;
    }
    if (quirk.delay) await sleep(quirk.delay * 1000);
    if (status === 401) response.setHeader('www-authenticate', 'Basic realm="TEST"');
    if (quirk.retry_after !== undefined) response.setHeader('retry-after', quirk.retry_after);
    if (quirk.location !== undefined) response.setHeader('location', quirk.location);
    if (status !== 200) {
      response.writeHead(status, status === 201 ? { 'content-type': 'application/pkcs7-mime' } : {}).end();
      return;
    }
    const list = await certificates(operation, body, quirk);
    const text = bodyOf(
      quirk.body,
      list.map(({ rawData }) => new Uint8Array(rawData)),
    );
    const type = quirk.ctype ?? 'application/pkcs7-mime; smime-type=certs-only';
    if (type !== 'none') response.setHeader('content-type', type);
    response.setHeader('content-length', text.length);
    if (quirk.cut) {
      response.write(text.subarray(0, text.length / 2));
      await sleep(20);
      socket.destroy();
    } else response.end(text);
  };

  const handler = (request: IncomingMessage, response: ServerResponse) => {
    answer(request, response).catch(() => response.destroy());
  };
  const server: Server = createServer(
    {
      cert: pemOf((behaviour.cert ? ca.wrongHost : ca.server).certificate, ca.issuing.certificate),
      key: (behaviour.cert ? ca.wrongHost : ca.server).privateKey.export({ type: 'pkcs8', format: 'pem' }),
      ca: [ca.root, ca.issuing, ca.bootstrapCa].map(({ certificate }) => pemOf(certificate)),
      requestCert: behaviour.auth !== 'basic' && behaviour.auth !== 'none',
      rejectUnauthorized: behaviour.auth === 'cert' || behaviour.auth === 'both',
      ...(behaviour.tls_max ? { maxVersion: 'TLSv1.2' as const } : {}),
    },
    handler,
  );
  server.on('secureConnection', (socket) => numbers.set(socket, ++connections));
  server.on('tlsClientError', () => undefined);
  const plain = createHttp(handler);
  await new Promise<void>((done) => server.listen(ports.port, '127.0.0.1', done));
  await new Promise<void>((done) => plain.listen(ports.httpPort, '127.0.0.1', done));
  return {
    port: (server.address() as AddressInfo).port,
    httpPort: (plain.address() as AddressInfo).port,
    seen,
    issued,
    get connections() {
      return connections;
    },
    async close() {
      for (const one of [server, plain]) one.closeAllConnections();
      await Promise.all([server, plain].map((one) => new Promise<void>((done) => one.close(() => done()))));
    },
  };
}
