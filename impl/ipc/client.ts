import type { Pool } from 'undici';
import { type Clock, systemClock } from '../process/index.ts';
import { AnswerTooLong, callOver } from './pool-call.ts';

/** Default limit of one attempt, body included (spec/transport.md 8). */
const TIMEOUT_MS = 30_000;
/** Pause before another attempt after a failure that had no answer (spec/transport.md 8). */
const RETRY_PAUSE_MS = 3000;
/** Connections kept to one daemon; each holds one of the caller's slots there (ten by default). */
const CONNECTIONS = 4;
const KEEP_ALIVE_MS = 4000;
const LARGEST_ANSWER_BYTES = 4 * 1024 * 1024;

/** One request to another daemon. */
export interface ClientRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Path with encoded segments, no query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** Sent as compact JSON; no content type without it. */
  readonly body?: unknown;
  readonly signal?: AbortSignal;
  /** Limit of one attempt in milliseconds; default 30 000. */
  readonly timeoutMs?: number;
}

/** How a call to another daemon failed. */
export type ClientFailure = 'unreachable' | 'timeout' | 'refused' | 'malformed' | 'aborted';

/** A call to another daemon that brought no success. */
export class ClientError extends Error {
  override readonly name = 'ClientError';
  readonly kind: ClientFailure;
  /** HTTP status where the daemon answered. */
  readonly status: number | undefined;

  constructor(
    kind: ClientFailure,
    message: string,
    options: { readonly status?: number; readonly cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = kind;
    this.status = options.status;
  }
}

/** HTTP over a Unix socket to one daemon, connections kept alive. */
export interface UnixClient {
  /** Parsed body of a 2xx answer; undefined for 204. Throws {@link ClientError}. */
  request(request: ClientRequest): Promise<unknown>;
  /** Called whenever a connection has ended, for whatever reason: what was learnt over it may no longer hold. */
  onDisconnect(listener: () => void): void;
  close(): Promise<void>;
}

function refusal(service: string, status: number, text: string): ClientError {
  try {
    const { message } = JSON.parse(text) as { message?: unknown };
    if (typeof message === 'string') return new ClientError('refused', message, { status });
  } catch {
    // not JSON: a daemon says "not up yet" in plain text
  }
  return new ClientError('refused', `${service} answered HTTP error ${status}`, { status });
}

/** Turns what undici throws into the daemon's own words. */
function asClientError(error: unknown, service: string, signal: AbortSignal | undefined): ClientError {
  if (error instanceof ClientError) return error;
  if (error instanceof AnswerTooLong)
    return new ClientError('malformed', `${service} answered with more than ${LARGEST_ANSWER_BYTES} bytes`);
  if (signal?.aborted) return new ClientError('aborted', `call to ${service} was given up`, { cause: signal.reason });
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const name = (error as Error).name;
  if (name === 'TimeoutError' || code.includes('TIMEOUT')) {
    return new ClientError('timeout', `${service} did not answer in time; check that it runs`, { cause: error });
  }
  if (code.startsWith('HPE_') || name === 'HTTPParserError') {
    return new ClientError('malformed', `${service} answered with malformed HTTP`, { cause: error });
  }
  return new ClientError('unreachable', `could not reach ${service}; check that it runs`, { cause: error });
}

/** True where the request surely was not carried out, or may safely be sent again. */
function worthAnotherTry(error: ClientError): boolean {
  return error.kind === 'unreachable' || error.kind === 'timeout' || (error.kind === 'refused' && error.status === 503);
}

/**
 * Makes a client of one daemon. `authority` is the Host that it is given, such as `keyd.sock`. `retries` counts the attempts after the first
 * for failures without an answer and for 503, 3 s apart (spec/transport.md 8).
 */
export function createUnixClient(options: {
  readonly socketPath: string;
  readonly authority: string;
  readonly retries?: number;
  readonly clock?: Clock;
}): UnixClient {
  const service = options.authority.replace(/\.sock$/, '');
  const clock = options.clock ?? systemClock;
  const disconnected: (() => void)[] = [];
  let pool: Promise<Pool> | undefined;

  /** The library is loaded by the first call: keyd and tpmd, which call nobody, go without its megabytes. */
  async function makePool(): Promise<Pool> {
    const undici = await import('undici');
    const made = new undici.Pool(`http://${options.authority}`, {
      socketPath: options.socketPath,
      connections: CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { timeout: TIMEOUT_MS },
    });
    made.on('disconnect', () => {
      for (const listener of disconnected) listener();
    });
    return made;
  }

  async function attempt(request: ClientRequest): Promise<unknown> {
    try {
      pool ??= makePool();
      const { status, contentType, text } = await callOver(
        await pool,
        {
          method: request.method,
          path: `${request.path}?${new URLSearchParams(request.query)}`,
          headersTimeout: 0,
          bodyTimeout: 0,
          ...(request.body === undefined
            ? {}
            : { body: JSON.stringify(request.body), headers: { 'content-type': 'application/json' } }),
        },
        { timeoutMs: request.timeoutMs ?? TIMEOUT_MS, largestBytes: LARGEST_ANSWER_BYTES, signal: request.signal },
      );
      if (status >= 400) throw refusal(service, status, text);
      if (status === 204) return undefined;
      if (contentType !== undefined && !contentType.toLowerCase().includes('application/json')) {
        throw new ClientError('malformed', `${service} answered with content type ${contentType} in place of JSON`);
      }
      return JSON.parse(text);
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new ClientError('malformed', `${service} answered with broken JSON`, { cause: error });
      throw asClientError(error, service, request.signal);
    }
  }

  return {
    async request(request) {
      for (let left = options.retries ?? 0; ; left--) {
        try {
          return await attempt(request);
        } catch (error) {
          if (left <= 0 || !(error instanceof ClientError) || !worthAnotherTry(error)) throw error;
          await clock.sleep(RETRY_PAUSE_MS, request.signal);
        }
      }
    },
    onDisconnect: (listener) => void disconnected.push(listener),
    close: async () => (await pool)?.destroy(),
  };
}
