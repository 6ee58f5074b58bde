/**
 * Why an HTTPS exchange gave no whole answer:
 * - `timed-out`: the connect or the total deadline passed;
 * - `not-connected`: name not found, refused, no route, TLS handshake failed for another reason than a certificate;
 * - `untrusted-server`: the server's certificate is not trusted, out of date, or for another name; nothing was sent;
 * - `proxy`: the proxy could not be reached or refused the tunnel;
 * - `closed`: closed or reset after the handshake, before the answer was whole;
 * - `too-large`: the body went over the caller's limit;
 * - `malformed`: the answer is not HTTP/1.x;
 * - `client-credential`: the client certificate or its key cannot be used, or the server refused it;
 * - `aborted`: the caller's signal.
 */
export type HttpsErrorKind =
  | 'timed-out'
  | 'not-connected'
  | 'untrusted-server'
  | 'proxy'
  | 'closed'
  | 'too-large'
  | 'malformed'
  | 'client-credential'
  | 'aborted';

/** A failed exchange. The message names host and cause and holds no header, body, credential or proxy password. */
export class HttpsError extends Error {
  override readonly name = 'HttpsError';
  readonly kind: HttpsErrorKind;

  constructor(kind: HttpsErrorKind, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : '';

const CREDENTIAL_ALERT =
  /ALERT_(BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_(REQUIRED|EXPIRED|REVOKED|UNKNOWN)|UNSUPPORTED_CERTIFICATE|ACCESS_DENIED)/;

/** What OpenSSL said; a certificate that is out of date may be a clock that is wrong. */
function verdictText(verifyError: unknown): string {
  const text = String(verifyError);
  const outOfDate = /NOT_YET_VALID|HAS_EXPIRED/.test(`${codeOf(verifyError)} ${text}`);
  return outOfDate ? `${text}; the clock of this device says ${new Date().toISOString().slice(0, 19)}Z` : text;
}

/** The class of a failure before the TLS handshake was complete; `verifyError` is what OpenSSL said of the server's chain. */
export function classifyConnectError(error: unknown, host: string, verifyError: unknown): HttpsError {
  if (error instanceof HttpsError) return error;
  if (verifyError) {
    return new HttpsError(
      'untrusted-server',
      `certificate of ${host} is not trusted: ${verdictText(verifyError)}`,
      error,
    );
  }
  if (CREDENTIAL_ALERT.test(codeOf(error))) {
    return new HttpsError('client-credential', `${host} refused the client certificate`, error);
  }
  return new HttpsError('not-connected', `could not connect to ${host}`, error);
}

/** The class of a failure after the handshake. */
export function classifyExchangeError(error: unknown, host: string): HttpsError {
  if (error instanceof HttpsError) return error;
  const code = codeOf(error);
  if (CREDENTIAL_ALERT.test(code)) {
    return new HttpsError('client-credential', `${host} refused the client certificate`, error);
  }
  if (code.startsWith('HPE_')) return new HttpsError('malformed', `answer of ${host} is not HTTP`, error);
  return new HttpsError('closed', `${host} closed the connection before the answer was complete`, error);
}
