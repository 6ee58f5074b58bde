import { Agent, request } from 'node:http';
import { HttpsError, type SendHttpsOptions } from '../https/index.ts';
import type { EstAnswer } from './answer.ts';

/** Connections that are kept for the next exchange, idle for half a minute at most. */
const KEPT = new Agent({ keepAlive: true, maxFreeSockets: 4, timeout: 30_000 });
const BODY_LIMIT = 1024 * 1024;

/**
 * Sends one request without TLS to an `http:` URL, which the reference allows and warns about: credentials go in clear. The same limits and
 * errors as `sendHttps`, no client certificate.
 */
export function sendPlainHttp(options: SendHttpsOptions): Promise<EstAnswer> {
  const url = new URL(options.url);
  const limit = AbortSignal.timeout(options.totalTimeoutMs);
  const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit;
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown, kind: 'closed' | 'not-connected' | 'too-large' = 'closed') => {
      const why = limit.aborted ? 'timed-out' : options.signal?.aborted ? 'aborted' : kind;
      reject(new HttpsError(why, `exchange with ${url.host} failed: ${why}`, cause));
    };
    const asking = request({
      host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: url.port === '' ? 80 : Number(url.port),
      method: options.method,
      path: `${url.pathname}${url.search}`,
      headers: options.headers.flat(),
      setDefaultHeaders: false,
      agent: KEPT,
      signal,
    });
    asking.once('error', (error) => fail(error, 'not-connected'));
    asking.once('response', (answer) => {
      const chunks: Buffer[] = [];
      let size = 0;
      answer.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > BODY_LIMIT) {
          fail(undefined, 'too-large');
          asking.destroy();
        } else chunks.push(chunk);
      });
      answer.on('error', fail);
      answer.on('end', () => {
        const headers = Object.entries(answer.headersDistinct).map(([name, values]) => [
          name,
          (values ?? []).join(', '),
        ]);
        resolve({ status: answer.statusCode ?? 0, headers: Object.fromEntries(headers), body: Buffer.concat(chunks) });
      });
    });
    asking.end(options.body);
  });
}
