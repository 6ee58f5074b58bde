import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { currentTrace } from '../runner/index.ts';
import type { CertificatePair, Endpoint } from './target.ts';

const LIMIT_MS = 30_000;

/** What a service answered. */
export interface ServiceAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request. A `body` that is no text is sent as JSON. */
export interface ServiceRequest {
  readonly method: string;
  /** Path and query as they are written. */
  readonly target: string;
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly client?: CertificatePair | undefined;
  readonly maxVersion?: 'TLSv1.2';
}

/** Sends a request on a TLS connection of its own. @throws Skipped where the guard of the service does not let it through */
export async function send(endpoint: Endpoint, asked: ServiceRequest): Promise<ServiceAnswer> {
  await endpoint.guard?.admit(asked.method);
  const answer = await exchanged(endpoint, asked);
  if (answer.status === 429) endpoint.guard?.throttled(answer.headers['retry-after']);
  return answer;
}

function exchanged(endpoint: Endpoint, asked: ServiceRequest): Promise<ServiceAnswer> {
  const { method, target, token, client, maxVersion } = asked;
  const { hostName, address = `${hostName}:443`, rootPem } = endpoint;
  const { hostname, port } = new URL(`https://${address}`);
  const body = asked.body === undefined || typeof asked.body === 'string' ? asked.body : JSON.stringify(asked.body);
  const headers = {
    host: hostName,
    ...(body === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }),
    ...(token === undefined ? {} : { authorization: token }),
    ...asked.headers,
  };
  const log = traced(hostName);
  log('sent', [`${method} ${target} HTTP/1.1`, ...headerLines(headers), '', body ?? ''].join('\r\n'));
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        hostname,
        port: port || 443,
        servername: hostName.replace(/:\d+$/, ''),
        method,
        path: target,
        headers,
        agent: false,
        timeout: LIMIT_MS,
        ...(rootPem === undefined ? {} : { ca: rootPem }),
        ...(client === undefined ? {} : { cert: client.certPem, key: client.keyPem }),
        ...(maxVersion === undefined ? {} : { maxVersion }),
      },
      (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => {
          const status = answer.statusCode ?? 0;
          log('received', [`HTTP/1.1 ${status}`, ...headerLines(answer.headers), '', text].join('\r\n'));
          resolve({ status, headers: answer.headers, body: text });
        });
        answer.on('error', reject);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${method} ${target} within ${LIMIT_MS} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Signatures and keys stay out of reports. */
function headerLines(headers: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(headers).map(([name, value]) => `${name}: ${String(value).replace(/sig=[^&]+/, 'sig=…')}`);
}

function traced(hostName: string): (kind: 'sent' | 'received', text: string) => void {
  const trace = currentTrace();
  const number = trace?.opened(`https://${hostName}`) ?? 0;
  const hidden = (text: string) => text.replace(/("(?:primary|secondary|authentication)Key":")[^"]+/g, '$1…');
  return (kind, text) => trace?.add(number, kind, hidden(text));
}
