import type { ClientCredential, ProxySettings, SendHttps, SendHttpsOptions, TrustStore } from '../https/index.ts';
import type { Clock, Logger } from '../process/index.ts';
import { type Certificate, type CertificateRequest, isExpired, orderChain } from '../x509/index.ts';
import { certificatesOf, type EstAnswer, EstError, retryAfterMs } from './answer.ts';
import { type BasicAuth, basicHeader } from './auth.ts';
import { type CsrAttributes, readCsrAttributes } from './csr-attributes.ts';
import { pauseAfter, type Random } from './patience.ts';
import { sendPlainHttp } from './plain-http.ts';
import { MOST_REDIRECTS, redirectTarget } from './redirect.ts';
import { type EstOperation, operationUrl } from './target.ts';

/** Which server is asked, and how. */
export interface EstAccess {
  /** Base URL, see `chooseUrl`. */
  readonly url: string;
  readonly basic?: BasicAuth | undefined;
  /** TLS client credential; the key stays in keyd. */
  readonly credential?: ClientCredential | undefined;
  readonly trust: TrustStore;
  readonly proxy?: ProxySettings | undefined;
  /** Ends it at any point. */
  readonly signal: AbortSignal;
}

/** One enrolment. */
export interface Enrolment extends EstAccess {
  readonly csr: CertificateRequest;
  /** Default: simpleenroll. simplereenroll needs the certificate that is renewed as `credential` (RFC 7030 4.2.2). */
  readonly operation?: 'simpleenroll' | 'simplereenroll' | undefined;
  /** Told when the server has put the request off (202) and waiting begins. */
  readonly onPostponed?: () => void;
}

export interface EstClient {
  /**
   * Asks for the CA list, then enrols, over one connection that is kept for the next enrolment with the same credential, and orders what
   * comes back: leaf, issuers, rest (spec/est.md 2). Where the CA list fails nothing is enrolled.
   *
   * @throws EstSettingsError, EstError, HttpsError, ChainError, or the signal's reason.
   */
  enrol(enrolment: Enrolment): Promise<Certificate[]>;
  /** What the server wants to see in a request (csrattrs). Throws as {@link EstClient.enrol} does. */
  csrAttributes(access: EstAccess): Promise<CsrAttributes>;
}

/** Bounds of one exchange and of repeating it (spec/est.md 2 and 4.1). */
const CONNECT_TIMEOUT_MS = 15_000;
const TOTAL_TIMEOUT_MS = 60_000;
const MOST_POSTPONEMENTS = 60;

interface EstClientOptions {
  readonly send: SendHttps;
  readonly clock: Clock;
  readonly log: Logger;
  readonly keydSocketPath: string;
  readonly random: Random;
}

/** The body of an enrolment: base64 of the DER in lines of 64 characters, each ended by LF (spec/est.md 2). */
function enrolmentBody(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `${lines.join('\n')}\n`;
}

function requestFor(url: URL, access: EstAccess, csr: CertificateRequest | undefined) {
  const body = csr && enrolmentBody(csr.der);
  const headers: [string, string][] = [];
  if (access.basic) headers.push(['authorization', basicHeader(access.basic)]);
  if (body !== undefined) headers.push(['content-type', 'application/pkcs10'], ['content-transfer-encoding', 'base64']);
  headers.push(['host', url.host]);
  if (body !== undefined) headers.push(['content-length', String(Buffer.byteLength(body))]);
  return {
    method: body === undefined ? ('GET' as const) : ('POST' as const),
    url: url.href,
    headers,
    body,
    credential: url.protocol === 'https:' ? access.credential : undefined,
    trust: access.trust,
    proxy: access.proxy,
    connectTimeoutMs: CONNECT_TIMEOUT_MS,
    totalTimeoutMs: TOTAL_TIMEOUT_MS,
    connection: 'kept' as const,
  } satisfies Omit<SendHttpsOptions, 'signal'>;
}

/** Makes the EST client. `send` is `sendHttps`, or a double of it in tests. */
export function createEstClient({ send, clock, log, keydSocketPath, random }: EstClientOptions): EstClient {
  /** One request with its redirects. */
  async function sendOn(operation: EstOperation, access: EstAccess, csr?: CertificateRequest): Promise<EstAnswer> {
    const first = requestFor(operationUrl(access.url, operation), access, csr);
    let { url } = first;
    for (let redirects = 0; ; redirects++) {
      const request = { ...first, url, keydSocketPath, signal: access.signal };
      const answer = await (url.startsWith('http:') ? sendPlainHttp : send)(request);
      log.debug(`EST server answered ${answer.status} to ${operation}`);
      const target = redirectTarget(answer, url, first.method);
      if (target === undefined) return answer;
      if (redirects >= MOST_REDIRECTS)
        throw new EstError(`EST server redirected ${operation} more than ${MOST_REDIRECTS} times`);
      url = target;
    }
  }

  /** One request under the retry policy. */
  async function exchange(operation: EstOperation, access: EstAccess, csr?: CertificateRequest): Promise<EstAnswer> {
    const { signal } = access;
    for (let tries = 0; ; tries++) {
      const outcome = await sendOn(operation, access, csr).then(
        (answer) => ({ answer }),
        (error: unknown) => ({ error }),
      );
      if (signal.aborted) throw signal.reason;
      const pause = pauseAfter(outcome, tries, clock.now(), random);
      if (pause === undefined) {
        if ('error' in outcome) throw outcome.error;
        return outcome.answer;
      }
      const what = 'error' in outcome ? `failed: ${(outcome.error as Error).message}` : `got ${outcome.answer.status}`;
      log.warn(`EST ${operation} ${what}; trying again`);
      await clock.sleep(pause, signal);
    }
  }

  /** Enrols, and asks again for as long as the server puts it off. */
  async function enrolUntilDecided(enrolment: Enrolment): Promise<Certificate[]> {
    const { operation = 'simpleenroll', csr, signal } = enrolment;
    for (let postponed = 0; ; postponed++) {
      const answer = await exchange(operation, enrolment, csr);
      if (answer.status !== 202) return certificatesOf(operation, answer);
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
      enrolment.signal.throwIfAborted();
      const authorities = certificatesOf('cacerts', await exchange('cacerts', enrolment));
      const issued = await enrolUntilDecided(enrolment);
      const chain = orderChain(issued, authorities, enrolment.csr.publicKey);
      checkLeaf(chain[0], clock.now(), log);
      return chain;
    },
    async csrAttributes(access) {
      return readCsrAttributes(await exchange('csrattrs', access));
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
