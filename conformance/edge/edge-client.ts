import { setTimeout as delay } from 'node:timers/promises';
import { type Daemon, header, jsonOf, type WireAnswer, WireConnection } from '../runner/index.ts';

/** What the daemon's client makes of a call (edge-runtime.md 2.1). */
export type EdgeResult =
  | { readonly kind: 'answer'; readonly status: number; readonly body: Record<string, unknown> }
  /** Answered, but with another content type or no JSON object. */
  | { readonly kind: 'invalid'; readonly status: number }
  | { readonly kind: 'closed' | 'refused' | 'late' };

/** A request that was sent, with what came of it. */
export interface SentRequest {
  readonly daemon: Daemon;
  readonly method: string;
  /** Path without its query. */
  readonly path: string;
  readonly body: unknown;
  /** The status, or why there was none. */
  readonly outcome: number | 'closed' | 'refused' | 'late' | 'invalid';
}

/** Pauses and limits of the client. Milliseconds. */
export interface EdgeTimes {
  /** Between the two tries of one call. */
  readonly retryMs: number;
  /** Between two attempts at the device identity. */
  readonly againMs: number;
  /** Limit of a try at keyd and certd. */
  readonly keysMs: number;
  /** Limit of a try at identityd. */
  readonly identityMs: number;
}

/** Those of the daemon's 1.6 release. */
export const RELEASE_TIMES: EdgeTimes = { retryMs: 3_000, againMs: 5_000, keysMs: 30_000, identityMs: 600_000 };

const VERSION = '2020-09-01';

/** A whole request as the ordinary client writes it: `content-type`, `host`, `content-length` in this order. */
export function edgeRequest(daemon: Daemon, method: string, target: string, body?: object): Buffer {
  const host = `host: ${daemon}.sock\r\n`;
  if (body === undefined) return Buffer.from(`${method} ${target} HTTP/1.1\r\n${host}\r\n`);
  const json = JSON.stringify(body);
  const head = `content-type: application/json\r\n${host}content-length: ${Buffer.byteLength(json)}\r\n`;
  return Buffer.from(`${method} ${target} HTTP/1.1\r\n${head}\r\n${json}`);
}

/** A request of the OpenSSL engine inside the daemon: no `host`, `content-length` first, API version 2021-05-01. */
export function engineRequest(path: string, body: object): Buffer {
  const json = JSON.stringify(body);
  const head = `content-length: ${Buffer.byteLength(json)}\r\ncontent-type: application/json\r\n`;
  return Buffer.from(`POST ${path}?api-version=2021-05-01 HTTP/1.1\r\n${head}\r\n${json}`);
}

/** The path encoding of the daemon's URL library: `$ + @ = : / %` go raw. */
export function rawSegment(text: string): string {
  return text.replace(/[\s"<>`#?{}\p{Cc}]|[^\p{ASCII}]/gu, (one) => encodeURIComponent(one));
}

/** The asynchronous client of the IoT Edge daemon: a connection a request, closed by the caller; one retry where no answer came. */
export class EdgeClient {
  readonly sent: SentRequest[] = [];
  readonly #socketOf: (daemon: Daemon) => string;
  readonly #uid: number;
  readonly #times: EdgeTimes;

  constructor(socketOf: (daemon: Daemon) => string, uid: number, times: EdgeTimes) {
    this.#socketOf = socketOf;
    this.#uid = uid;
    this.#times = times;
  }

  /** Sends a request; `path` may have a query of its own, the version comes before it. */
  async ask(daemon: Daemon, method: string, path: string, body?: object): Promise<EdgeResult> {
    const [plain = '', query] = path.split('?');
    const target = `${plain}?api-version=${VERSION}${query ? `&${query}` : ''}`;
    const bytes = edgeRequest(daemon, method, target, body);
    let result = await this.#try(daemon, method, bytes);
    this.#note(daemon, method, plain, body, result);
    if (result.kind === 'answer' || result.kind === 'invalid') return result;
    await delay(this.#times.retryMs);
    result = await this.#try(daemon, method, bytes);
    this.#note(daemon, method, plain, body, result);
    return result;
  }

  /** What the engine asks of keyd: a value, and no retry. */
  async engine(path: string, body: object, member: string): Promise<Buffer | string> {
    const connection = await WireConnection.open(this.#socketOf('keyd'), this.#uid);
    try {
      connection.write(engineRequest(path, body));
      const answer = await connection.answer('POST', this.#times.keysMs);
      if (answer.closed) throw new Error(`keyd closed the engine's connection at ${path}`);
      engineCanRead(answer);
      this.#note('keyd', 'POST', path, body, { kind: 'answer', status: answer.status, body: {} });
      const value = jsonOf(answer)[member];
      if (answer.status !== 200 || typeof value !== 'string')
        throw new Error(`keyd answered ${answer.status} to ${path}: ${answer.body.slice(0, 200)}`);
      return value;
    } finally {
      connection.close();
    }
  }

  #note(daemon: Daemon, method: string, path: string, body: unknown, result: EdgeResult): void {
    const outcome = result.kind === 'answer' ? result.status : result.kind;
    this.sent.push({ daemon, method, path, body, outcome });
  }

  async #try(daemon: Daemon, method: string, bytes: Buffer): Promise<EdgeResult> {
    let connection: WireConnection;
    try {
      connection = await WireConnection.open(this.#socketOf(daemon), this.#uid);
    } catch {
      return { kind: 'refused' };
    }
    try {
      connection.write(bytes);
      const limit = daemon === 'identityd' ? this.#times.identityMs : this.#times.keysMs;
      const answer = await connection.answer(method, limit).catch(() => undefined);
      if (answer === undefined) return { kind: 'late' };
      return answer.closed ? { kind: 'closed' } : read(answer);
    } finally {
      connection.close();
    }
  }
}

function read(answer: WireAnswer): EdgeResult {
  const { status, body } = answer;
  if (body === '') return { kind: 'answer', status, body: {} };
  const type = header(answer, 'content-type');
  if (type !== undefined && !type.toLowerCase().includes('application/json')) return { kind: 'invalid', status };
  try {
    const value = jsonOf(answer);
    const isError = status >= 400;
    return isError && typeof value['message'] !== 'string'
      ? { kind: 'invalid', status }
      : { kind: 'answer', status, body: value };
  } catch {
    return { kind: 'invalid', status };
  }
}

/** What the engine's small reader needs (keys-service.md 3.1). */
function engineCanRead(answer: WireAnswer): void {
  if (!answer.oneWrite) throw new Error('the head of the answer came in several reads; the engine reads once');
  if (answer.headBytes > 512) throw new Error(`a head of ${answer.headBytes} bytes; the engine reads 512`);
  if (header(answer, 'content-type') !== 'application/json')
    throw new Error(`content-type ${header(answer, 'content-type')}; the engine wants application/json alone`);
  if (header(answer, 'content-length') === undefined) throw new Error('no content-length; the engine needs one');
}
