import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Reply } from './route.ts';

/** The answer to what failed. */
interface Refusal {
  readonly status: number;
  readonly body: { readonly message: string };
  readonly headers?: Readonly<Record<string, string>>;
}

/** Ends the exchange; returns the headers that were set. Head and body leave in one write; the head stays below 512 bytes (spec/keys-service.md 3.1). */
export function answer(
  request: IncomingMessage,
  response: ServerResponse,
  reply: Reply | Refusal,
  options: { readonly close: boolean },
): Readonly<Record<string, string | number>> {
  if (response.headersSent || response.destroyed) return {};
  const close = options.close || !response.shouldKeepAlive;
  if (!close && request.httpVersion === '1.1') response.removeHeader('connection');
  const headers: Record<string, string | number> = {};
  if ('headers' in reply && reply.headers) Object.assign(headers, reply.headers);
  if (close) headers['connection'] = 'close';
  if (!('body' in reply)) {
    response.writeHead(reply.status, headers);
    response.end();
    return headers;
  }
  const text = JSON.stringify(reply.body);
  headers['content-type'] = 'application/json';
  headers['content-length'] = Buffer.byteLength(text);
  response.writeHead(reply.status, headers);
  if (request.method === 'HEAD') response.end();
  else response.end(text);
  return headers;
}
