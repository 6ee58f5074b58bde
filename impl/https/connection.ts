import { request as httpRequest } from 'node:http';
import { isIP, type Socket, connect as tcpConnect } from 'node:net';
import type { Duplex } from 'node:stream';
import { createSecureContext, type SecureContext, type TLSSocket, connect as tlsConnect } from 'node:tls';
import { classifyConnectError, HttpsError } from './https-error.ts';
import { type ProxySettings, proxyForHost } from './proxy.ts';
import type { CredentialContext, HttpsRequest } from './request.ts';
import type { TrustStore } from './trust.ts';

const contexts = new WeakMap<readonly string[], SecureContext>();

function contextFor(trust: TrustStore, credential: CredentialContext | undefined): SecureContext {
  const ca = [...trust.anchors];
  if (credential) {
    try {
      return createSecureContext({ ca, minVersion: 'TLSv1.2', ...credential });
    } catch (error) {
      throw new HttpsError('client-credential', 'could not load the client certificate or its key from keyd', error);
    }
  }
  let context = contexts.get(trust.anchors);
  if (!context) {
    context = createSecureContext({ ca, minVersion: 'TLSv1.2' });
    contexts.set(trust.anchors, context);
  }
  return context;
}

function openTcp(host: string, port: number, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = tcpConnect({ host, port, noDelay: true });
    const abort = () => socket.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      signal.removeEventListener('abort', abort);
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

function openTls(socket: Duplex, host: string, context: SecureContext, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const servername = isIP(host) ? '' : host;
    // A certificate without a single matching name must fail for addresses too: `host` is what node checks when there is no SNI.
    const secured = tlsConnect({ socket, host, servername, secureContext: context, ALPNProtocols: ['http/1.1'] });
    const abort = () => secured.destroy(signal.reason);
    signal.addEventListener('abort', abort, { once: true });
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', abort);
      reject(classifyConnectError(error, host, secured.authorizationError));
      socket.destroy();
    };
    secured.once('error', fail);
    secured.once('secureConnect', () => {
      signal.removeEventListener('abort', abort);
      secured.removeListener('error', fail);
      resolve(secured);
    });
  });
}

function askForTunnel(proxy: ProxySettings, carrier: Duplex, target: string, signal: AbortSignal): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const headers = ['Host', target];
    if (proxy.authorization) headers.push('proxy-authorization', proxy.authorization);
    const asking = httpRequest({
      method: 'CONNECT',
      path: target,
      headers,
      setDefaultHeaders: false,
      createConnection: () => carrier,
      signal,
    });
    asking.once('error', reject);
    asking.once('connect', (answer, socket, head) => {
      if (answer.statusCode !== undefined && answer.statusCode >= 200 && answer.statusCode < 300 && head.length === 0) {
        resolve(socket);
        return;
      }
      socket.destroy();
      reject(new Error(`the proxy answered ${answer.statusCode} to CONNECT`));
    });
    asking.once('response', (answer) => {
      carrier.destroy();
      reject(new Error(`the proxy answered ${answer.statusCode} to CONNECT`));
    });
    asking.end();
  });
}

async function openThroughProxy(
  proxy: ProxySettings,
  target: string,
  trust: TrustStore,
  signal: AbortSignal,
): Promise<Duplex> {
  try {
    const plain = await openTcp(proxy.host, proxy.port, signal);
    // The client credential is for the target alone and is never shown to the proxy.
    const carrier =
      proxy.scheme === 'https' ? await openTls(plain, proxy.host, contextFor(trust, undefined), signal) : plain;
    return await askForTunnel(proxy, carrier, target, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw new HttpsError('proxy', `could not open a tunnel to ${target} through ${proxy.display}`, error);
  }
}

/** Opens a verified TLS connection to the host of the URL, directly or through the proxy. Throws HttpsError. */
export async function openConnection(
  request: HttpsRequest,
  url: URL,
  credential: CredentialContext | undefined,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? 443 : Number(url.port);
  const context = contextFor(request.trust, credential);
  const proxy = proxyForHost(request.proxy, host, port);
  try {
    const carrier = proxy
      ? await openThroughProxy(proxy, `${url.hostname}:${port}`, request.trust, signal)
      : await openTcp(host, port, signal);
    return await openTls(carrier, host, context, signal);
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw classifyConnectError(error, host, undefined);
  }
}
