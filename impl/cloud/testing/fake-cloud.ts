import { createHmac } from 'node:crypto';
import { HttpsError, type HttpsErrorKind, type HttpsResponse, type SendHttpsOptions } from '../../https/index.ts';
import { createLogger } from '../../process/index.ts';
import type { CloudContext } from '../context.ts';

/** An answer of the double: status, JSON body (or text), headers; or the way the exchange fails. */
export type FakeAnswer =
  | { readonly status: number; readonly body?: unknown; readonly headers?: Readonly<Record<string, string>> }
  | { readonly fails: HttpsErrorKind };

/** A request as the double saw it. */
export interface SeenRequest {
  /** `METHOD https://host/path?query` */
  readonly line: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string | undefined;
  /** Seconds of the clock since the double was made. */
  readonly at: number;
  readonly credential: SendHttpsOptions['credential'];
  readonly totalTimeoutMs: number;
}

/** The cloud as a queue of answers, and a clock that only sleeping moves. */
export interface FakeCloud {
  readonly context: CloudContext;
  readonly seen: SeenRequest[];
  readonly logged: string[];
  /** Answers in order; a function decides for itself. */
  answer(...answers: (FakeAnswer | ((request: SeenRequest) => FakeAnswer))[]): void;
}

const START_MS = 1_767_225_600_000;

/** Signs as a device whose key is 32 bytes of 4. */
export const signAsDevice = async (data: Uint8Array): Promise<Uint8Array> =>
  createHmac('sha256', Buffer.alloc(32, 4)).update(data).digest();

function respond(answer: FakeAnswer): HttpsResponse {
  if ('fails' in answer) throw new HttpsError(answer.fails, `exchange ${answer.fails}`);
  const text =
    typeof answer.body === 'string' ? answer.body : answer.body === undefined ? '' : JSON.stringify(answer.body);
  const headers = { ...(text === '' ? {} : { 'content-type': 'application/json' }), ...answer.headers };
  return { status: answer.status, headers, body: Buffer.from(text), tls: { protocol: 'TLSv1.3' } };
}

/** Makes a double; `over` replaces parts of the context. */
export function createFakeCloud(over: Partial<CloudContext> = {}): FakeCloud {
  let now = START_MS;
  const seen: SeenRequest[] = [];
  const logged: string[] = [];
  const queue: (FakeAnswer | ((request: SeenRequest) => FakeAnswer))[] = [];
  const log = createLogger({ target: 'test', filter: 'info', write: (line) => logged.push(line), now: () => now });
  const clock = {
    now: () => now,
    sleep: async (milliseconds: number) => {
      now += milliseconds;
    },
  };
  const send = async (options: SendHttpsOptions): Promise<HttpsResponse> => {
    const request = {
      line: `${options.method} ${options.url}`,
      headers: options.headers,
      body: options.body === undefined ? undefined : String(options.body),
      at: (now - START_MS) / 1000,
      credential: options.credential,
      totalTimeoutMs: options.totalTimeoutMs,
    };
    seen.push(request);
    const next = queue.shift();
    if (next === undefined) throw new Error(`no answer for ${request.line}`);
    return respond(typeof next === 'function' ? next(request) : next);
  };
  const context: CloudContext = {
    send,
    trust: async () => ({ anchors: [], source: 'test' }),
    proxy: undefined,
    clock,
    log,
    random: () => 0,
    timeoutMs: 70_000,
    retries: 1,
    keydSocketPath: '/nowhere/keyd.sock',
    ...over,
  };
  return { context, seen, logged, answer: (...answers) => void queue.push(...answers) };
}
