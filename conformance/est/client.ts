import { readFileSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import type { CertificateFiles, EstTarget, Password } from './target.ts';

const LIMIT_MS = 20_000;

/** What the server answered. */
export interface EstAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** One request below the base URL of the target. */
export interface EstRequest {
  readonly method?: 'GET' | 'POST' | 'PUT';
  /** Operation, a label before it where one is meant: `label/simpleenroll`. */
  readonly operation: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly basic?: Password | undefined;
  readonly client?: CertificateFiles | undefined;
}

/** `Basic` with the base64 of UTF-8 (RFC 7617). */
export const basicHeader = ({ username, password }: Password): string =>
  `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

/** Sends a request on a connection of its own and gives the answer. @throws Error where none comes, a refused handshake too */
export function send(target: EstTarget, asked: EstRequest): Promise<EstAnswer> {
  const { operation, basic, client, body } = asked;
  return new Promise((resolve, reject) => {
    const sent = request(
      `${target.url}/${operation}`,
      {
        method: asked.method ?? (body === undefined ? 'GET' : 'POST'),
        ca: readFileSync(target.rootPem),
        agent: false,
        timeout: LIMIT_MS,
        headers: { ...(basic ? { authorization: basicHeader(basic) } : {}), ...asked.headers },
        ...(client ? { cert: readFileSync(client.cert), key: readFileSync(client.key) } : {}),
      },
      (answer) => {
        let text = '';
        answer.setEncoding('latin1');
        answer.on('data', (chunk: string) => {
          text += chunk;
        });
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: text }));
        answer.on('error', reject);
      },
    );
    sent.on('timeout', () => sent.destroy(new Error(`no answer to ${operation} within ${LIMIT_MS} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

/** Posts a request for a certificate, base64 in lines of 64. */
export function enrol(
  target: EstTarget,
  der: Buffer,
  more: Omit<EstRequest, 'operation' | 'body' | 'method'> & { readonly operation?: string } = {},
): Promise<EstAnswer> {
  const body = der.toString('base64').replace(/.{1,64}/g, '$&\n');
  const headers = { 'content-type': 'application/pkcs10', ...more.headers };
  return send(target, { operation: 'simpleenroll', ...more, headers, body });
}
