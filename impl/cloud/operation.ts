import { STATUS_CODES } from 'node:http';
import { HttpsError, type HttpsResponse } from '../https/index.ts';
import { clockDifference, isWrong } from './clock-watch.ts';
import { CloudError, failureOfExchange, failureOfStatus } from './cloud-error.ts';
import type { CloudContext } from './context.ts';
import type { CloudCredential } from './credential.ts';
import { encodeSegment } from './encode.ts';
import { type AttemptEnd, pauseBeforeNext, retryAfterMs, THROTTLED_ATTEMPTS } from './retry.ts';
import { createSasToken, type TokenScope } from './sas-token.ts';

/** One operation of DPS or the hub: sent up to some times with a fresh token each, ended by one answer. */
export interface Operation {
  readonly method: 'GET' | 'PUT' | 'DELETE';
  /** Host with an optional port, as configured or assigned. */
  readonly host: string;
  /** Path and query, encoded. */
  readonly target: string;
  /** Absent: neither token nor certificate is sent (the first request of TPM attestation). */
  readonly credential: CloudCredential | undefined;
  readonly scope: TokenScope;
  readonly ifMatch?: '*';
  /** Compact JSON text. */
  readonly body?: string;
  /** Statuses that end the operation well. */
  readonly expected: readonly number[];
  /** 5xx statuses that are worth another attempt. */
  readonly retryStatuses: readonly number[];
  /** Overrides of the configured values, for polls. */
  readonly timeoutMs?: number;
  readonly retries?: number;
  readonly signal?: AbortSignal | undefined;
}

const CONNECT_TIMEOUT_MS = 30_000;
const TOKEN_LIFETIME_SEC = 300;

/** `404 Not Found`, as the texts for callers have it. */
export const statusText = (status: number): string => `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;

/** {@link encodeSegment}, with a CloudError for an id that no address can hold. */
export function segment(id: string): string {
  try {
    return encodeSegment(id);
  } catch (cause) {
    throw new CloudError('refused', cause instanceof Error ? cause.message : 'bad id', { cause });
  }
}

/** What no host has, and what the URL parser would read as something else, or silently drop (CR, LF, tab). */
const NOT_OF_A_HOST = /[\s\p{Cc}\\/?#@]/u;

/** Host as a request names it: the default port is left out. Throws CloudError for a text that is no host. */
export function addressOf(host: string): { origin: string; hostHeader: string } {
  if (NOT_OF_A_HOST.test(host)) {
    throw new CloudError(
      'refused',
      `${JSON.stringify(host)} is not a host name: write it without path, user and blanks`,
    );
  }
  let url: URL;
  try {
    url = new URL(`https://${host}`);
  } catch (cause) {
    throw new CloudError('refused', `"${host}" is not a host name`, { cause });
  }
  return { origin: `https://${url.host}`, hostHeader: url.host };
}

async function authorization(context: CloudContext, operation: Operation): Promise<string | undefined> {
  if (operation.credential?.kind !== 'token') return undefined;
  const expiry = Math.floor(context.clock.now() / 1000) + (context.tokenLifetimeSec ?? TOKEN_LIFETIME_SEC);
  try {
    return await createSasToken(operation.scope, expiry, operation.credential.sign);
  } catch (cause) {
    if (cause instanceof CloudError) throw cause;
    throw new CloudError('local', 'could not sign with the device key', { cause });
  }
}

async function attempt(context: CloudContext, operation: Operation): Promise<HttpsResponse> {
  const { origin, hostHeader } = addressOf(operation.host);
  const token = await authorization(context, operation);
  const headers: [string, string][] = [];
  if (operation.body !== undefined) headers.push(['content-type', 'application/json']);
  if (token !== undefined) headers.push(['authorization', token]);
  if (operation.ifMatch !== undefined) headers.push(['if-match', operation.ifMatch]);
  headers.push(['host', hostHeader]);
  if (operation.body !== undefined) headers.push(['content-length', String(Buffer.byteLength(operation.body))]);
  context.log.debug(`${operation.method} ${origin}${operation.target}`);
  const totalTimeoutMs = operation.timeoutMs ?? context.timeoutMs;
  return context.send({
    method: operation.method,
    url: `${origin}${operation.target}`,
    headers,
    body: operation.body,
    trust: await context.trust(),
    proxy: context.proxy,
    connectTimeoutMs: Math.min(CONNECT_TIMEOUT_MS, totalTimeoutMs),
    totalTimeoutMs,
    credential: operation.credential?.kind === 'certificate' ? operation.credential.certificate : undefined,
    keydSocketPath: context.keydSocketPath,
    signal: operation.signal ?? context.signal,
  });
}

function hintAtClock(context: CloudContext, operation: Operation, answer: HttpsResponse): void {
  const difference = clockDifference(answer.headers['date'], context.clock.now());
  if (difference === undefined || !isWrong(difference)) return;
  context.log.warn(
    `${operation.host} refused this device's credential, and its clock differs from this device's by ${Math.abs(difference)} seconds; set the clock of this device`,
  );
}

function endOf(context: CloudContext, operation: Operation, answer: HttpsResponse): AttemptEnd | undefined {
  const wait = retryAfterMs(answer.headers['retry-after'], context.clock.now());
  if (answer.status === 429) return { type: 'throttled', retryAfterMs: wait };
  const unavailable = operation.retryStatuses.includes(answer.status) && !reportsParentOutage(answer);
  return unavailable ? { type: 'unavailable', retryAfterMs: wait } : undefined;
}

type Outcome =
  | { readonly answer: HttpsResponse; readonly end: AttemptEnd | undefined }
  | { readonly error: CloudError; readonly end: AttemptEnd | undefined };

async function tryOnce(context: CloudContext, operation: Operation): Promise<Outcome> {
  try {
    const answer = await attempt(context, operation);
    context.clockWatch?.observe(operation.host, answer.headers['date']);
    return { answer, end: endOf(context, operation, answer) };
  } catch (cause) {
    if (cause instanceof CloudError) return { error: cause, end: undefined };
    if (!(cause instanceof HttpsError)) throw cause;
    const failure = failureOfExchange(cause.kind);
    const error = new CloudError(failure, cause.message, { cause: cause.cause });
    return { error, end: failure === 'network' && cause.kind !== 'aborted' ? { type: 'no-answer' } : undefined };
  }
}

function tell(context: CloudContext, outcome: Outcome, number: number, retries: number, pauseMs: number): void {
  if (outcome.end?.type === 'throttled') {
    const seconds = Math.round(pauseMs / 1000);
    context.log.warn(
      `HTTP request throttled (attempt ${number} of ${THROTTLED_ATTEMPTS}). sleeping for ${seconds} seconds.`,
    );
  } else {
    const why = 'error' in outcome ? outcome.error.message : `HTTP error ${statusText(outcome.answer.status)}`;
    context.log.warn(`Failed to send HTTP request (attempt ${number} of ${retries + 1}): ${why}`);
  }
}

/** The answer that ended an operation. */
export interface OperationAnswer extends HttpsResponse {
  /** `Retry-After` of the answer, milliseconds. */
  readonly retryAfterMs: number | undefined;
  /** Whether an earlier attempt ended without an answer of the service itself, so that it may have been carried out. */
  readonly afterUnanswered: boolean;
}

/**
 * Runs an operation to its one answer, whatever its status, with retries and pauses (spec/cloud.md 1). Throws CloudError where
 * there is no answer, and `429: Too many requests` when throttled to the end.
 */
export async function runOperation(context: CloudContext, operation: Operation): Promise<OperationAnswer> {
  const retries = operation.retries ?? context.retries;
  let afterUnanswered = false;
  for (let number = 1; ; number++) {
    const outcome = await tryOnce(context, operation);
    const pause = outcome.end && pauseBeforeNext(outcome.end, number, retries, context.random);
    if (pause !== undefined) {
      tell(context, outcome, number, retries, pause);
      afterUnanswered ||= outcome.end?.type !== 'throttled';
      await context.clock.sleep(pause, operation.signal ?? context.signal);
      continue;
    }
    if ('error' in outcome) {
      if (outcome.end) tell(context, outcome, number, retries, 0);
      throw outcome.error;
    }
    const wait = retryAfterMs(outcome.answer.headers['retry-after'], context.clock.now());
    if (outcome.end?.type === 'throttled') {
      throw new CloudError('transient', '429: Too many requests', { status: 429, retryAfterMs: wait });
    }
    if (outcome.answer.status === 401) hintAtClock(context, operation, outcome.answer);
    return { ...outcome.answer, retryAfterMs: wait, afterUnanswered };
  }
}

/** JSON of an answer; a content type, where present, must say JSON. Throws `invalid-data`. */
export function parseJson(answer: HttpsResponse): unknown {
  const type = answer.headers['content-type'];
  if (type !== undefined && !type.toLowerCase().includes('application/json')) {
    throw new CloudError('invalid-data', 'invalid Content-Type; expected JSON', { status: answer.status });
  }
  try {
    return JSON.parse(answer.body.toString('utf8'));
  } catch (cause) {
    throw new CloudError('invalid-data', 'the answer is not valid JSON', { status: answer.status, cause });
  }
}

/** No more of a service's text goes into answers and the log. */
const LONGEST_TEXT = 2000;

/** The error text of a JSON object answer, or undefined. */
function memberText(value: unknown, names: readonly string[]): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const members = value as Record<string, unknown>;
  const text = names.map((name) => members[name]).find((member) => typeof member === 'string');
  return text !== undefined && text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}…` : text;
}

function reportsParentOutage(answer: HttpsResponse): boolean {
  if (!answer.body.includes('"networkError"')) return false;
  try {
    return (parseJson(answer) as { networkError?: unknown } | null)?.networkError === true;
  } catch {
    return false;
  }
}

/**
 * The error of an answer whose status is not expected (spec/cloud.md 1, 5): the service's own text where there is one.
 *
 * @param names members that may hold the text, in order of preference.
 */
export function errorOfAnswer(
  answer: OperationAnswer,
  expected: readonly number[],
  names: readonly string[],
): CloudError {
  const { status } = answer;
  if (status < 400) {
    return new CloudError('invalid-data', `Expected one of [${expected.join(', ')}], got ${statusText(status)}`, {
      status,
    });
  }
  const failure = reportsParentOutage(answer) ? 'network' : failureOfStatus(status);
  const fail = (text: string) => new CloudError(failure, text, answer);
  if (answer.body.length === 0) return fail(`HTTP error ${statusText(status)}`);
  try {
    return fail(memberText(parseJson(answer), names) ?? `HTTP error ${statusText(status)}`);
  } catch (error) {
    // The status decides the class even where the body cannot be read.
    return fail(error instanceof Error ? error.message : 'unreadable answer');
  }
}
