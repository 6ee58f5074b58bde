import {
  type ClientCredential,
  HttpsError,
  type ProxySettings,
  type SendHttps,
  type SendHttpsOptions,
  type TrustStore,
} from '../https/index.ts';
import type { Clock, Logger } from '../process/index.ts';
import { type Certificate, type CertificateRequest, isExpired, orderChain } from '../x509/index.ts';
import { certificatesOf, type EstAnswer, EstError, retryAfterMs } from './answer.ts';
import { type BasicAuth, basicHeader } from './auth.ts';
import { sendPlainHttp } from './plain-http.ts';
import { type EstOperation, operationUrl } from './target.ts';

/** One enrolment. */
export interface Enrolment {
  /** Base URL, see `chooseUrl`. */
  readonly url: string;
  readonly csr: CertificateRequest;
  readonly basic?: BasicAuth | undefined;
  /** TLS client credential; the key stays in keyd. */
  readonly credential?: ClientCredential | undefined;
  readonly trust: TrustStore;
  readonly proxy?: ProxySettings | undefined;
  /** Ends the enrolment at any point. */
  readonly signal: AbortSignal;
  /** Told when the server has put the request off (202) and waiting begins. */
  readonly onPostponed?: () => void;
}

export interface EstClient {
  /**
   * Sends simpleenroll and cacerts at the same time, each over a connection of its own, and orders what comes back: leaf, issuers, rest
   * (spec/est.md 2). Either failing ends the other.
   *
   * @throws EstSettingsError, EstError, HttpsError, ChainError, or the signal's reason.
   */
  enrol(enrolment: Enrolment): Promise<Certificate[]>;
}

/** Bounds of one exchange and of repeating it (spec/est.md 2 and 4.1). */
const CONNECT_TIMEOUT_MS = 15_000;
const TOTAL_TIMEOUT_MS = 60_000;
const RETRY_PAUSES_MS = [1000, 3000];
const MOST_POSTPONEMENTS = 60;

interface EstClientOptions {
  readonly send: SendHttps;
  readonly clock: Clock;
  readonly log: Logger;
  readonly keydSocketPath: string;
}

/** The body of simpleenroll: base64 of the DER in lines of 64 characters, each ended by LF (spec/est.md 2). */
function enrolmentBody(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `${lines.join('\n')}\n`;
}

function requestFor(operation: EstOperation, enrolment: Enrolment): Omit<SendHttpsOptions, 'signal'> {
  const url = operationUrl(enrolment.url, operation);
  const body = operation === 'simpleenroll' ? enrolmentBody(enrolment.csr.der) : undefined;
  const headers: [string, string][] = [];
  if (enrolment.basic) headers.push(['authorization', basicHeader(enrolment.basic)]);
  if (body !== undefined) headers.push(['content-type', 'application/pkcs10'], ['content-transfer-encoding', 'base64']);
  headers.push(['host', url.host]);
  if (body !== undefined) headers.push(['content-length', String(Buffer.byteLength(body))]);
  return {
    method: body === undefined ? 'GET' : 'POST',
    url: url.href,
    headers,
    body,
    credential: url.protocol === 'https:' ? enrolment.credential : undefined,
    trust: enrolment.trust,
    proxy: enrolment.proxy,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    totalTimeoutMs: TOTAL_TIMEOUT_MS,
  };
}

function mayPass(error: unknown): boolean {
  return (
    error instanceof HttpsError && (error.kind === 'not-connected' || error.kind === 'closed' || error.kind === 'proxy')
  );
}

/** Makes the EST client. `send` is `sendHttps`, or a double of it in tests. */
export function createEstClient({ send, clock, log, keydSocketPath }: EstClientOptions): EstClient {
  async function exchange(operation: EstOperation, enrolment: Enrolment, signal: AbortSignal): Promise<EstAnswer> {
    const request = { ...requestFor(operation, enrolment), keydSocketPath, signal };
    const sendOne = request.url.startsWith('http:') ? sendPlainHttp : send;
    for (let tries = 0; ; tries++) {
      const pause = RETRY_PAUSES_MS[tries];
      try {
        const answer = await sendOne(request);
        log.debug(`EST server answered ${answer.status} to ${operation}`);
        if (answer.status < 500 || pause === undefined) return answer;
        log.warn(`EST server answered ${answer.status} to ${operation}; trying again`);
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (pause === undefined || !mayPass(error)) throw error;
        log.warn(`EST ${operation} failed: ${(error as Error).message}; trying again`);
      }
      await clock.sleep(pause ?? 0, signal);
    }
  }

  async function ask(operation: EstOperation, enrolment: Enrolment, signal: AbortSignal): Promise<Certificate[]> {
    for (let postponed = 0; ; postponed++) {
      const answer = await exchange(operation, enrolment, signal);
      if (answer.status !== 202 || operation === 'cacerts') return certificatesOf(operation, answer);
      if (postponed >= MOST_POSTPONEMENTS) {
        throw new EstError(`EST server postponed the enrolment ${postponed} times; approve it there`, { status: 202 });
      }
      enrolment.onPostponed?.();
      const pause = retryAfterMs(answer, clock.now());
      log.info(`EST server postponed the enrolment; asking again in ${Math.ceil(pause / 1000)} s`);
      await clock.sleep(pause, signal);
    }
  }

  return {
    async enrol(enrolment) {
      const stop = new AbortController();
      const signal = AbortSignal.any([enrolment.signal, stop.signal]);
      const parts = [ask('simpleenroll', enrolment, signal), ask('cacerts', enrolment, signal)] as const;
      try {
        const [issued, authorities] = await Promise.all(parts);
        const chain = orderChain(issued, authorities, enrolment.csr.publicKey);
        checkLeaf(chain[0], clock.now(), log);
        return chain;
      } finally {
        stop.abort(new EstError('the other request of the enrolment failed'));
        await Promise.allSettled(parts);
      }
    },
  };
}

function checkLeaf(leaf: Certificate, now: number, log: Logger): void {
  if (isExpired(leaf, now)) {
    throw new EstError(
      `EST server issued a certificate that expired ${new Date(leaf.notAfter).toISOString()}; check its clock`,
    );
  }
  if (leaf.notBefore > now)
    log.warn(`EST server issued a certificate that is valid from ${new Date(leaf.notBefore).toISOString()}`);
}
