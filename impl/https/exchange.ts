import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { openConnection } from './connection.ts';
import { classifyExchangeError, HttpsError } from './https-error.ts';
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

function exchange(request: HttpsRequest, url: URL, socket: TLSSocket, signal: AbortSignal): Promise<HttpsResponse> {
  return new Promise((resolve, reject) => {
    const asking = httpRequest({
      method: request.method,
      path: `${url.pathname}${url.search}`,
      headers: request.headers.flat(),
      setDefaultHeaders: false,
      createConnection: () => socket,
      signal,
    });
    asking.once('error', reject);
    asking.once('response', (answer) => {
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
 * Sends one request over a connection of its own and reads the answer, on this thread. Deadlines and `signal` end it at any point.
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
  let socket: TLSSocket | undefined;
  try {
    controller.signal.throwIfAborted();
    socket = await openConnection(request, url, credential, controller.signal);
    clearTimeout(connect);
    return await exchange(request, url, socket, controller.signal);
  } catch (error) {
    if (controller.signal.aborted) throw controller.signal.reason;
    throw classifyExchangeError(error, url.host);
  } finally {
    clearTimeout(total);
    clearTimeout(connect);
    signal?.removeEventListener('abort', abort);
    socket?.on('error', () => undefined);
    socket?.destroy();
  }
}
