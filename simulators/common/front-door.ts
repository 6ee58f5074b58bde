import { constants, type X509Certificate } from 'node:crypto';
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { clientChain } from './client-chain.ts';
import { type Clock, SystemClock } from './clock.ts';
import { type AfterFault, playFault } from './fault-play.ts';
import type { FaultScript } from './faults.ts';
import type { Journal, JournalEntry } from './journal.ts';
import { type TlsBinding, tlsBinding } from './tls-binding.ts';

const LARGEST_BODY_BYTES = 1024 * 1024;
const BODY_DEADLINE_MS = 30_000;

/** A request as a simulator's rules see it. */
export interface FrontDoorRequest {
  readonly method: string;
  /** Target as received, origin or absolute form. */
  readonly target: string;
  /** Undecoded path. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Names in lower case; the last value where one is repeated. */
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly (readonly [string, string])[];
  readonly body: Buffer;
  /** Certificates of the TLS handshake, leaf first; not judged yet. */
  readonly clientChain: readonly X509Certificate[];
  /** Protocol and channel bindings of the connection. */
  readonly tls: TlsBinding;
  /** Aborted when the caller hangs up. */
  readonly signal: AbortSignal;
  /** The journal's entry of this request, to note principal and reason in. */
  readonly entry: JournalEntry;
}

/** What a simulator answers; the body as bytes or text, with the content type in the headers. */
export interface FrontDoorAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Buffer | string;
  /** A pause after each byte of the body. */
  readonly millisecondsPerByte?: number;
  /** The connection is cut after so many bytes of the body. */
  readonly cutAfterBytes?: number;
}

/** A TLS server that is up. */
export interface FrontDoor {
  readonly port: number;
  /** `https://localhost:PORT`. */
  readonly url: string;
  /** Shows another certificate from the next connection on, one for a wrong name say. */
  setCertificate(tls: ServerCertificate): void;
  /** Stops listening and cuts every connection. */
  close(): Promise<void>;
}

/** A chain, leaf first, and the key of the leaf, PEM. */
export interface ServerCertificate {
  readonly certPem: string;
  readonly keyPem: string;
}

/** What a front door needs. */
export interface FrontDoorOptions {
  /** Name of the service in the journal. */
  readonly service: string;
  readonly tls: ServerCertificate;
  readonly handler: (request: FrontDoorRequest) => Promise<FrontDoorAnswer>;
  readonly journal: Journal;
  readonly faults: FaultScript;
  readonly clock?: Clock | undefined;
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** A larger body is answered 413; 1 MiB by default. */
  readonly maxBodyBytes?: number | undefined;
}

function headerPairs(request: IncomingMessage): [string, string][] {
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < request.rawHeaders.length; at += 2) {
    pairs.push([request.rawHeaders[at] ?? '', request.rawHeaders[at + 1] ?? '']);
  }
  return pairs;
}

/** Path and query of an origin-form or absolute-form target (RFC 9112 3.2). */
function splitTarget(target: string): { path: string; query: URLSearchParams } {
  const origin = target.replace(/^https?:\/\/[^/?]*/i, '');
  const mark = origin.indexOf('?');
  return {
    path: (mark < 0 ? origin : origin.slice(0, mark)) || '/',
    query: new URLSearchParams(mark < 0 ? '' : origin.slice(mark + 1)),
  };
}

function readBody(request: IncomingMessage, largestBytes: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => reject(new Error('the body did not arrive in time')), BODY_DEADLINE_MS);
    const done = (body: Buffer | undefined) => {
      clearTimeout(timer);
      resolve(body);
    };
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > largestBytes) done(undefined);
      else chunks.push(chunk);
    });
    request.on('end', () => done(Buffer.concat(chunks)));
    request.on('close', () => clearTimeout(timer));
    request.on('error', reject);
  });
}

/** Statuses whose answers have neither body nor length (RFC 9110 8.6). */
const hasNoBody = (status: number): boolean => status === 204 || status === 304;

/** The head of an answer as Node writes it. */
function headOf({ status, headers = {} }: FrontDoorAnswer, bodyBytes: number): OutgoingHttpHeaders {
  const head: OutgoingHttpHeaders = {};
  for (const [name, value] of Object.entries(headers)) head[name] = typeof value === 'string' ? value : [...value];
  if (!hasNoBody(status)) head['content-length'] = bodyBytes;
  return head;
}

function send(response: ServerResponse, answer: FrontDoorAnswer): void {
  const body = answer.body ?? '';
  const length = Buffer.byteLength(body);
  response.writeHead(answer.status, headOf(answer, length));
  // a text of ASCII alone leaves faster when Node is told so
  if (answer.cutAfterBytes === undefined) response.end(body, length === body.length ? 'latin1' : 'utf8');
  else response.write(Buffer.from(body).subarray(0, answer.cutAfterBytes), () => response.socket?.destroy());
}

async function sendSlowly(
  response: ServerResponse,
  answer: FrontDoorAnswer,
  pause: () => Promise<void>,
): Promise<void> {
  const body = Buffer.from(answer.body ?? '');
  response.writeHead(answer.status, headOf(answer, body.length));
  for (const byte of body) {
    response.write(Buffer.of(byte));
    await pause();
  }
  response.end();
}

/** What is the same for every request of a connection. */
interface ConnectionFacts {
  readonly number: number;
  readonly chain: readonly X509Certificate[];
  /** Subjects of the chain. */
  readonly subjects: readonly string[];
  readonly tls: TlsBinding;
  readonly serverName: string | undefined;
}

/** One request on its way through the door. */
interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly connection: () => ConnectionFacts;
  readonly reset: () => void;
}

/** A signal for the end of the response, made when it is first asked for: most answers need none. */
function hangUpOf(response: ServerResponse): () => AbortSignal {
  let controller: AbortController | undefined;
  return () => {
    if (controller) return controller.signal;
    const made = new AbortController();
    controller = made;
    const abort = () => made.abort(new Error('the caller hung up'));
    if (response.destroyed) abort();
    else response.on('close', abort);
    return made.signal;
  };
}

async function serveOne(options: FrontDoorOptions, exchange: Exchange): Promise<void> {
  const { request, response, reset } = exchange;
  const connection = exchange.connection();
  const { chain, tls } = connection;
  const clock = options.clock ?? new SystemClock();
  const body = await readBody(request, options.maxBodyBytes ?? LARGEST_BODY_BYTES);
  const target = request.url ?? '/';
  const method = request.method ?? '';
  const rawHeaders = headerPairs(request);
  const entry = options.journal.append({
    time: clock.now(),
    service: options.service,
    method,
    target,
    headers: rawHeaders,
    body: body ?? Buffer.alloc(0),
    clientChain: connection.subjects,
    connection: { number: connection.number, protocol: tls.protocol, serverName: connection.serverName },
  });
  const hangUp = hangUpOf(response);
  if (body === undefined) {
    entry.status = 413;
    send(response, { status: 413, headers: { connection: 'close' } });
    return;
  }
  const fault = options.faults.next(method, target);
  let after: AfterFault = 'answer';
  if (fault) {
    entry.fault = fault.kind;
    after = await playFault(fault, { response, clock, signal: hangUp(), entry, reset });
    if (after === 'answered') return;
  }
  const headers = Object.fromEntries(rawHeaders.map(([name, value]) => [name.toLowerCase(), value]));
  const { path, query } = splitTarget(target);
  const seen = {
    method,
    target,
    path,
    query,
    headers,
    rawHeaders,
    body,
    clientChain: chain,
    tls,
    get signal() {
      return hangUp();
    },
    entry,
  };
  const answer: FrontDoorAnswer = await options.handler(seen).catch((error: unknown) => {
    entry.reason = `simulator fault: ${(error as Error).message}`;
    return { status: 500, headers: { 'content-type': 'text/plain' }, body: 'simulator fault\n' };
  });
  if (response.destroyed) return;
  entry.status = answer.status;
  const pace = after === 'answer' ? answer.millisecondsPerByte : after.millisecondsPerByte;
  if (pace === undefined) send(response, answer);
  else await sendSlowly(response, answer, () => clock.sleep(pace, hangUp()));
}

/** A resumed session would hide the client's chain: tickets are off, and no cache of sessions is kept. */
const TLS_RULES = { minVersion: 'TLSv1.2', secureOptions: constants.SSL_OP_NO_TICKET } as const;

/** Asks each connection once, at its first request (nothing is renegotiated); numbers them from 1 in that order. */
function connectionFacts(): (socket: Socket) => ConnectionFacts {
  const known = new WeakMap<Socket, ConnectionFacts>();
  let last = 0;
  return (socket) => {
    let facts = known.get(socket);
    if (!facts) {
      const secure = socket as TLSSocket;
      const chain = clientChain(secure);
      const subjects = chain.map((certificate) => certificate.subject);
      facts = { number: ++last, chain, subjects, tls: tlsBinding(secure), serverName: secure.servername || undefined };
      known.set(socket, facts);
    }
    return facts;
  };
}

/** Keeps the TCP sockets: only they can be reset, the TLS sockets above them cannot. */
function trackConnections(server: Server): { destroyAll(): void; reset(above: Socket): void } {
  const open = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
  });
  return {
    destroyAll() {
      for (const socket of open) socket.destroy();
    },
    reset(above) {
      for (const socket of open) {
        if (socket.remotePort === above.remotePort && socket.remoteAddress === above.remoteAddress)
          socket.resetAndDestroy();
      }
    },
  };
}

/**
 * Serves HTTPS for a simulator: TLS 1.2 and 1.3, client certificates asked for but judged by the handler, no session resumption (so that each
 * connection shows its chain), absolute-form targets, limits on head and body, journal and faults (spec/cloud.md 9 and 10).
 */
export async function startFrontDoor(options: FrontDoorOptions): Promise<FrontDoor> {
  const factsOf = connectionFacts();
  const server = createServer(
    {
      cert: options.tls.certPem,
      key: options.tls.keyPem,
      ...TLS_RULES,
      requestCert: true,
      rejectUnauthorized: false,
      headersTimeout: 30_000,
      requestTimeout: 60_000,
    },
    (request, response) => {
      const reset = () => connections.reset(request.socket);
      // what fails here is the caller's side: it hung up, or its body never came
      serveOne(options, { request, response, connection: () => factsOf(request.socket), reset }).catch(() =>
        response.destroy(),
      );
    },
  );
  const connections = trackConnections(server);
  server.on('tlsClientError', () => undefined);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, options.host ?? '127.0.0.1', () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `https://localhost:${port}`,
    setCertificate: ({ certPem, keyPem }) => server.setSecureContext({ ...TLS_RULES, cert: certPem, key: keyPem }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        connections.destroyAll();
      }),
  };
}
