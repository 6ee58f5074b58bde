import type { HttpsErrorKind } from '../https/index.ts';

/**
 * What a failure of DPS or the hub means to the caller (spec/cloud.md 1, 5, 6):
 * - `network`: no whole answer (refused, name, timeout, proxy, closed), or a parent hub that reports its own outage;
 * - `transient`: 500, 502, 503, 504, or throttled to the end;
 * - `untrusted`: the server's certificate was refused; nothing was sent;
 * - `auth`: 401 or 403; `not-found`: 404; `conflict`: 409;
 * - `invalid-data`: the answer cannot be understood;
 * - `local`: the key service, the TPM service or the client certificate failed before anything was sent;
 * - `refused`: every other answer.
 */
export type CloudFailure =
  | 'network'
  | 'transient'
  | 'untrusted'
  | 'auth'
  | 'not-found'
  | 'conflict'
  | 'invalid-data'
  | 'local'
  | 'refused';

/** What is known of a failure besides its class. */
interface CloudErrorOptions {
  readonly status?: number | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly afterUnanswered?: boolean | undefined;
  readonly cause?: unknown;
}

/** A failed operation of the cloud. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  readonly failure: CloudFailure;
  readonly status: number | undefined;
  /** What the service asked to wait before another try, milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Whether an earlier attempt of the same operation ended without an answer, so that it may have been carried out. */
  readonly afterUnanswered: boolean;

  constructor(failure: CloudFailure, message: string, options: CloudErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.failure = failure;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs;
    this.afterUnanswered = options.afterUnanswered ?? false;
  }
}

const BY_STATUS: Readonly<Record<number, CloudFailure>> = {
  401: 'auth',
  403: 'auth',
  404: 'not-found',
  409: 'conflict',
  500: 'transient',
  502: 'transient',
  503: 'transient',
  504: 'transient',
};

/** The class of an answer that is not a success. */
export const failureOfStatus = (status: number): CloudFailure => BY_STATUS[status] ?? 'refused';

/** The class of an exchange without a whole answer. */
export function failureOfExchange(kind: HttpsErrorKind): CloudFailure {
  if (kind === 'untrusted-server') return 'untrusted';
  if (kind === 'client-credential') return 'local';
  if (kind === 'too-large' || kind === 'malformed') return 'invalid-data';
  return 'network';
}

/** Whether to carry on with what is known instead of doubting the device: the cloud cannot be asked at the moment. */
export function meansOffline(error: unknown): boolean {
  return error instanceof CloudError && (error.failure === 'network' || error.failure === 'transient');
}

/** Whether the device's own credential may be at fault: refused, or not usable for the handshake. */
export function doubtsCredential(error: unknown): boolean {
  return error instanceof CloudError && (error.failure === 'auth' || error.failure === 'local');
}

/** Whether the hub no longer takes this device, so that a new registration may help (spec/cloud.md 5, stricter). */
export function asksForReprovisioning(error: unknown): boolean {
  return error instanceof CloudError && (error.failure === 'auth' || error.failure === 'not-found');
}
