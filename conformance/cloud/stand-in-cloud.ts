import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createSecureContext, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { StandInDps } from './stand-in-dps.ts';
import { StandInHub } from './stand-in-hub.ts';
import { type CloudAnswer, type CloudFault, type CloudRequest, pathOf } from './stand-in-request.ts';

/** A certificate with its key, PEM. */
export interface ServerCredential {
  readonly cert: string;
  readonly key: string;
}

/** How a stand-in is made. */
export interface StandInOptions {
  readonly credential: ServerCredential;
  /** What is shown under the name that no trust anchor vouches for. */
  readonly untrusted?: { readonly name: string; readonly credential: ServerCredential };
  /** Authorities of client certificates, PEM. */
  readonly clientCas: readonly string[];
  readonly scopeId: string;
  readonly hubNames: readonly string[];
}

/** A fault, for the requests of a method and path (without query); `times` of them, or all. */
export interface ScriptedFault {
  readonly method: string;
  readonly path: string | RegExp;
  readonly fault: CloudFault;
  /** So many requests of that kind are answered properly first. */
  readonly skip?: number;
  readonly times?: number;
}

function subjectsOf(socket: TLSSocket): string[] {
  const subjects: string[] = [];
  let certificate: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  while (certificate?.subject && subjects.length < 5) {
    subjects.push(`CN=${certificate.subject.CN}`);
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate;
    certificate = issuer === certificate ? undefined : issuer;
  }
  return subjects;
}

async function read(message: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of message.setEncoding('utf8')) text += chunk;
  return text;
}

/**
 * DPS and hub of one world in this process, small and exact: the recorded credentials, ids and faults, no more. What is judged
 * against it must reach it through a proxy that leads every name to its one port.
 */
export class StandInCloud {
  readonly hub: StandInHub;
  readonly dps: StandInDps;
  readonly seen: CloudRequest[] = [];
  /** Handshakes that the client broke off. */
  refusedHandshakes = 0;
  readonly #server: Server;
  readonly #numbers = new WeakMap<object, number>();
  #faults: (ScriptedFault & { left: number; toSkip: number })[] = [];
  #connections = 0;

  private constructor(options: StandInOptions) {
    this.hub = new StandInHub(options.hubNames);
    this.dps = new StandInDps(options.scopeId, this.hub);
    const { untrusted } = options;
    this.#server = createServer(
      {
        ...options.credential,
        ca: [...options.clientCas],
        requestCert: true,
        rejectUnauthorized: false,
        SNICallback: (name, done) =>
          done(null, name === untrusted?.name ? createSecureContext(untrusted.credential) : undefined),
      },
      (message, response) => void this.#serve(message, response).catch(() => response.destroy()),
    );
    this.#server.on('secureConnection', (socket) => this.#numbers.set(socket, ++this.#connections));
    this.#server.on('tlsClientError', () => this.refusedHandshakes++);
  }

  static async start(options: StandInOptions): Promise<StandInCloud> {
    const cloud = new StandInCloud(options);
    cloud.#server.listen(0, '127.0.0.1');
    await once(cloud.#server, 'listening');
    return cloud;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  script(faults: readonly ScriptedFault[]): void {
    this.#faults = faults.map((fault) => ({
      ...fault,
      left: fault.times ?? Number.POSITIVE_INFINITY,
      toSkip: fault.skip ?? 0,
    }));
  }

  /** Forgets devices, enrolments, faults and requests. */
  clear(): void {
    this.hub.clear();
    this.dps.clear();
    this.script([]);
    this.seen.length = 0;
  }

  /** Resolves when it holds, looked at after each request. */
  until(holds: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = () => {
        if (!holds()) return;
        this.#server.off('request', later);
        resolve();
      };
      // a request is noted once its body is there
      const later = () => setImmediate(look);
      this.#server.on('request', later);
      look();
    });
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const socket = message.socket as TLSSocket;
    const { rawHeaders } = message;
    const request: CloudRequest = {
      sni: typeof socket.servername === 'string' ? socket.servername : '',
      method: message.method ?? '',
      target: message.url ?? '',
      headers: rawHeaders.flatMap((name, at) => (at % 2 === 0 ? [[name, rawHeaders[at + 1] ?? ''] as const] : [])),
      body: await read(message),
      client: subjectsOf(socket),
      clientIsTrusted: socket.authorized,
      connection: this.#numbers.get(socket) ?? 0,
    };
    this.seen.push(request);
    const fault = this.#faultFor(request);
    if (fault?.close || fault?.reset) {
      socket.destroy();
      return;
    }
    if (fault?.hang !== undefined) await delay(fault.hang * 1000);
    if (fault?.status !== undefined) end(response, fault.status, fault.body, fault.type, fault.headers);
    else this.#end(response, this.#answer(request));
  }

  #faultFor(request: CloudRequest): CloudFault | undefined {
    const path = pathOf(request);
    const fits = this.#faults.filter(
      ({ method, path: wanted, left }) =>
        left > 0 && method === request.method && (typeof wanted === 'string' ? wanted === path : wanted.test(path)),
    );
    const found = fits.find(({ toSkip }) => toSkip === 0);
    for (const one of fits) if (one !== found && one.toSkip > 0) one.toSkip--;
    if (found) found.left--;
    return found?.fault;
  }

  #answer(request: CloudRequest): CloudAnswer {
    return /\/registrations\//.test(request.target) ? this.dps.answer(request) : this.hub.answer(request);
  }

  #end(response: ServerResponse, { status, body, headers }: CloudAnswer): void {
    end(response, status, body, undefined, headers);
  }
}

function end(
  response: ServerResponse,
  status: number,
  body: unknown,
  type: string | null = 'application/json; charset=utf-8',
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  const typed = type === null || text === '' ? {} : { 'content-type': type };
  const sized = status === 204 ? {} : { 'content-length': String(Buffer.byteLength(text)) };
  response.writeHead(status, { ...typed, ...sized, ...headers }).end(status === 204 ? undefined : text);
}
