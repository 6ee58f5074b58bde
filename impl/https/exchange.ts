import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { openConnection } from './connection.ts';
import { classifyExchangeError, HttpsError } from './https-error.ts';
import { keptConnection, wasReused } from './kept-connections.ts';
import type { CredentialContext, HttpsRequest, HttpsResponse } from './request.ts';

const DEFAULT_BODY_LIMIT = 1024 * 1024;

async function readBody(answer: IncomingMessage, limit: number, host: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new HttpsError('too-large', `answer of ${host} is larger than ${limit} bytes`);
    chunks.push(chunk);
  }
  if (!answer.complete) throw new Error('the answer ended early');
  return Buffer.concat(chunks);
}

function flatHeaders(answer: IncomingMessage): Record<string, string> {
  const entries = Object.entries(answer.headersDistinct);
  return Object.fromEntries(entries.map(([name, values]) => [name, (values ?? []).join(', ')]));
}

/** A failure of a connection that was kept, before anything of the answer came: another connection may do. */
class StaleConnection extends Error {
  override readonly name = 'StaleConnection';
}

function exchange(request: HttpsRequest, url: URL, connection: object, signal: AbortSignal): Promise<HttpsResponse> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest({
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers: request.headers.flat(),
      setDefaultHeaders: false,
      ...connection,
      signal,
    });
    asking.once('error', (cause) => {
      const stale = wasReused(asking) && !signal.aborted;
      reject(stale ? new StaleConnection('a kept connection was closed', { cause }) : cause);
    });
    asking.once('response', (answer) => {
      const socket = answer.socket as TLSSocket;
      readBody(answer, request.maxBodyBytes ?? DEFAULT_BODY_LIMIT, url.host)
        .then((body) => {
          resolve({
            status: answer.statusCode ?? 0,
            headers: flatHeaders(answer),
            body,
            tls: { protocol: socket.getProtocol() },
          });
        })
        .catch(reject);
    });
    asking.end(request.body);
  });
}

/** A URL that must be https and must not carry credentials of its own. */
function targetOf(text: string): URL {
  let url: URL;
  try {
    url = new URL(text);
  } catch (error) {
    throw new HttpsError('not-connected', 'the address is not a URL', error);
  }
  if (url.protocol !== 'https:') {
    throw new HttpsError('not-connected', `refusing to speak to ${url.host} without TLS: use an https address`);
  }
  return url;
}

/**
 * Sends one request, over a connection of its own unless it asks for a kept one, and reads the answer, on this thread. Deadlines and `signal` end it at any point.
 * Throws HttpsError.
 */
export async function runExchange(
  request: HttpsRequest,
  credential: CredentialContext | undefined,
  signal?: AbortSignal,
): Promise<HttpsResponse> {
  const url = targetOf(request.url);
  const controller = new AbortController();
  const stop = (reason: HttpsError) => controller.abort(reason);
  const abort = () => stop(new HttpsError('aborted', `request to ${url.host} was given up`));
  const total = setTimeout(() => stop(new HttpsError('timed-out', `${url.host} timed out`)), request.totalTimeoutMs);
  const connect = setTimeout(
    () => stop(new HttpsError('timed-out', `connecting to ${url.host} timed out`)),
    request.connectTimeoutMs,
  );
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  const open = async () => {
    const socket = await openConnection(request, url, credential, controller.signal);
    clearTimeout(connect);
    return socket;
  };
  try {
    controller.signal.throwIfAborted();
    const run = request.connection === 'kept' ? overKeptConnection : overOwnConnection;
    return await run({ request, url, credential, open }, controller.signal);
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason;
    throw classifyExchangeError(error, url.host);
  } finally {
    clearTimeout(total);
    clearTimeout(connect);
    signal?.removeEventListener('abort', abort);
  }
}

interface Run {
  readonly request: HttpsRequest;
  readonly url: URL;
  readonly credential: CredentialContext | undefined;
  readonly open: () => Promise<TLSSocket>;
}

async function overOwnConnection({ request, url, open }: Run, signal: AbortSignal): Promise<HttpsResponse> {
  const socket = await open();
  try {
    return await exchange(request, url, { createConnection: () => socket }, signal);
  } finally {
    socket.on('error', () => undefined);
    socket.destroy();
  }
}

async function overKeptConnection(
  { request, url, credential, open }: Run,
  signal: AbortSignal,
): Promise<HttpsResponse> {
  for (;;) {
    try {
      return await exchange(request, url, keptConnection(request, url, credential, open), signal);
    } catch (error) {
      if (!(error instanceof StaleConnection)) throw error;
    }
  }
}
