import { runExchange } from './exchange.ts';
import { HttpsError } from './https-error.ts';
import type { ClientCredential, HttpsRequest, HttpsResponse } from './request.ts';
import { runOnWorker } from './worker-pool.ts';

/** One outbound request with what it may need besides plain data. */
export interface SendHttpsOptions extends HttpsRequest {
  readonly credential?: ClientCredential | undefined;
  /** Socket of keyd, needed with a credential. */
  readonly keydSocketPath?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Sends one request and reads the whole answer: {@link sendHttps}, or a double of it in tests. */
export type SendHttps = (options: SendHttpsOptions) => Promise<HttpsResponse>;

async function contextOf(credential: ClientCredential, keydSocketPath: string | undefined) {
  try {
    const openssl = await import('../openssl/index.ts');
    if (keydSocketPath !== undefined) openssl.useKeydEngine(keydSocketPath);
    return openssl.keydSecureContextOptions(credential);
  } catch (error) {
    throw new HttpsError('client-credential', 'could not prepare the client certificate', error);
  }
}

/**
 * One HTTPS request over one connection: HTTP/1.1, exactly the given headers, no redirects, host name verified, trust only from
 * `trust`, through `proxy` where one is given (CONNECT, origin form inside; spec/cloud.md 1). With a credential the request runs on
 * a thread of its own, since the signature hook of OpenSSL blocks. Throws HttpsError for anything that is not a whole answer; any
 * status is an answer.
 */
export const sendHttps: SendHttps = async ({ credential, keydSocketPath, signal, ...request }) => {
  if (!credential) return runExchange(request, undefined, signal);
  return runOnWorker(request, await contextOf(credential, keydSocketPath), signal);
};
