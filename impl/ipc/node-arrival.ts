import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Answer, type Arrival, SECRET_HEADERS } from './arrival.ts';
import { ServiceError } from './service-error.ts';

/** Time from the head to the last byte of the body (spec/transport.md 6). */
const BODY_DEADLINE_MS = 5000;

function headerText(headers: NodeJS.Dict<string | string[] | number>): string {
  let text = '';
  for (const name in headers) {
    const value = SECRET_HEADERS.has(name) ? '…' : String(headers[name]);
    text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${JSON.stringify(value)}`;
  }
  return `{${text}}`;
}

/** Reads the whole body within its limits. */
function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const timer = setTimeout(() => finish(new ServiceError('body-timeout')), BODY_DEADLINE_MS);
    let finished = false;
    const finish = (error?: ServiceError) => {
      finished = true;
      clearTimeout(timer);
      const [first] = chunks;
      if (error) reject(error);
      else resolve(chunks.length === 1 && first ? first : Buffer.concat(chunks));
    };
    request.on('data', (chunk: Buffer) => {
      if (finished) return;
      size += chunk.length;
      if (size > limit) {
        finish(new ServiceError('body-too-large', { parameters: { limit } }));
      } else chunks.push(chunk);
    });
    request.on('end', () => finish());
    request.on('error', (cause) => finish(new ServiceError('body-unreadable', { cause })));
    request.on('aborted', () => finish(new ServiceError('body-unreadable')));
  });
}

/** A request that node:http has read. */
export class NodeArrival implements Arrival {
  readonly text = undefined;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.#request = request;
    this.#response = response;
  }

  get method(): string {
    return this.#request.method ?? '';
  }

  get target(): string {
    return this.#request.url ?? '/';
  }

  get headerText(): string {
    return headerText(this.#request.headers);
  }

  get contentType(): string | undefined {
    return this.#request.headers['content-type'];
  }

  get complete(): boolean {
    return this.#request.complete;
  }

  body(limit: number): Promise<Buffer> {
    return readBody(this.#request, limit);
  }

  send(answer: Answer, options: { readonly close: boolean }): string {
    const response = this.#response;
    if (response.headersSent || response.destroyed) return '{}';
    const close = options.close || !response.shouldKeepAlive;
    if (!close && this.#request.httpVersion === '1.1') response.removeHeader('connection');
    const headers: Record<string, string | number> = {};
    if ('headers' in answer && answer.headers) Object.assign(headers, answer.headers);
    if (close) headers['connection'] = 'close';
    if ('body' in answer) {
      const text = JSON.stringify(answer.body);
      headers['content-type'] = 'application/json';
      headers['content-length'] = Buffer.byteLength(text);
      response.writeHead(answer.status, headers);
      if (this.method === 'HEAD') response.end();
      else response.end(text);
    } else {
      response.writeHead(answer.status, headers);
      response.end();
    }
    return headerText(headers);
  }
}
