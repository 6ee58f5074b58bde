import { connect, type Socket } from 'node:net';
import { currentTrace } from './trace.ts';

/** A request as it is written on the wire. `null` as a header value leaves a header out that would be sent otherwise. */
export interface WireRequest {
  readonly method: string;
  readonly target: string;
  readonly headers?: Readonly<Record<string, string | null>>;
  /** An object or array is sent as compact JSON, a string byte for byte (UTF-8). */
  readonly body?: unknown;
}

/** An answer as it came, nothing normalised but the case of header names. */
export interface WireAnswer {
  readonly closed: false;
  readonly status: number;
  /** Name (lower case) and value, in the order of the wire. */
  readonly headers: readonly (readonly [string, string])[];
  /** The body as text, chunked coding undone. */
  readonly body: string;
  /** Length of the head with its final empty line. */
  readonly headBytes: number;
  /** The whole head was in the first read. */
  readonly oneWrite: boolean;
}

/** The peer closed the connection (or reset it) before a whole head had come. */
export interface WireClosed {
  readonly closed: true;
  readonly received: string;
}

export type WireResult = WireAnswer | WireClosed;

const HEAD_END = '\r\n\r\n';
const NO_BODY = new Set([204, 304]);

/** The bytes of a request: no Host header, `content-type: application/json` and `content-length` where there is a body. */
export function requestBytes(request: WireRequest): Buffer {
  const body = bodyBytes(request.body);
  const headers = new Map<string, string>();
  if (body !== undefined) headers.set('content-type', 'application/json');
  for (const [name, value] of Object.entries(request.headers ?? {})) {
    if (value === null) headers.delete(name.toLowerCase());
    else headers.set(name.toLowerCase(), value);
  }
  const chunked = headers.get('transfer-encoding') === 'chunked';
  if (body !== undefined && !chunked && !headers.has('content-length'))
    headers.set('content-length', String(body.length));
  const lines = [...headers].map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const head = `${request.method} ${request.target} HTTP/1.1\r\n${lines}\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), body ?? Buffer.alloc(0)]);
}

function bodyBytes(body: unknown): Buffer | undefined {
  if (body === undefined || body === null) return undefined;
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body), 'utf8');
}

/** The first value of a header, or undefined. */
export function header(answer: WireAnswer, name: string): string | undefined {
  return answer.headers.find(([candidate]) => candidate === name.toLowerCase())?.[1];
}

/** One connection to a socket, opened with the effective uid that the daemon is to see (SO_PEERCRED is taken at connect). */
export class WireConnection {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #reads = 0;
  #ended = false;
  readonly #waiting = new Set<() => void>();
  readonly #trace = currentTrace();
  readonly #number: number;

  private constructor(socket: Socket, where: string) {
    this.#socket = socket;
    this.#number = this.#trace?.opened(where) ?? 0;
    socket.on('data', (chunk: Buffer) => {
      this.#trace?.add(this.#number, 'received', chunk.toString('utf8'));
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#reads += 1;
      this.#wakeAll();
    });
    const end = () => {
      if (!this.#ended && !socket.destroyed) this.#trace?.add(this.#number, 'closed', 'by the daemon');
      this.#ended = true;
      this.#wakeAll();
    };
    socket.on('end', end).on('close', end).on('error', end);
  }

  /**
   * Connects as `uid` (root may take any uid; another caller only its own).
   * libuv connects a unix socket within the call, so the effective uid is lent for that moment only.
   */
  static async open(socketPath: string, uid: number = process.geteuid?.() ?? 0): Promise<WireConnection> {
    const own = process.geteuid?.() ?? 0;
    let socket: Socket;
    if (uid === own) socket = connect(socketPath);
    else {
      if (own !== 0) throw new Error(`only root can call as uid ${uid}; run this as root`);
      process.seteuid?.(uid);
      try {
        socket = connect(socketPath);
      } finally {
        process.seteuid?.(0);
      }
    }
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new WireConnection(socket, `${socketPath} as uid ${uid}`);
  }

  write(bytes: Uint8Array | string): void {
    // a peer that has closed already shows itself in the next answer, so a failing write needs no report of its own
    if (this.#socket.destroyed) return;
    this.#trace?.add(this.#number, 'sent', typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString('utf8'));
    this.#socket.write(bytes, () => {});
  }

  /** Sends one request and waits for its answer, at most `timeoutMs`. */
  async ask(request: WireRequest, timeoutMs = 30_000): Promise<WireResult> {
    this.write(requestBytes(request));
    return this.answer(request.method, timeoutMs);
  }

  /**
   * Reads the next answer of this connection. `method` is needed because an answer to HEAD has no body.
   * Rejects when nothing complete came within `timeoutMs`.
   */
  async answer(method: string, timeoutMs = 30_000): Promise<WireResult> {
    const deadline = performance.now() + timeoutMs;
    const readsBefore = this.#received.length > 0 ? 0 : this.#reads;
    let headReads = 0;
    for (;;) {
      const headEnd = this.#received.indexOf(HEAD_END);
      if (headEnd >= 0) {
        headReads ||= this.#reads - readsBefore;
        const whole = takeAnswer(this.#received, headEnd, method, this.#ended);
        if (whole) {
          this.#received = this.#received.subarray(whole.length);
          return { ...whole.answer, oneWrite: headReads <= 1 };
        }
        if (this.#ended) return { closed: true, received: this.#received.toString('utf8') };
      } else if (this.#ended) {
        return { closed: true, received: this.#received.toString('utf8') };
      }
      await this.#change(deadline - performance.now());
    }
  }

  /** True when the peer closes (or has closed) within `timeoutMs`. */
  async closesWithin(timeoutMs: number): Promise<boolean> {
    const deadline = performance.now() + timeoutMs;
    while (!this.#ended && performance.now() < deadline)
      await this.#change(deadline - performance.now()).catch(() => undefined);
    return this.#ended;
  }

  close(): void {
    this.#socket.destroy();
  }

  #wakeAll(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(
        () => {
          this.#waiting.delete(wake);
          reject(new Error('no complete answer within the time given'));
        },
        Math.max(0, timeoutMs),
      );
      this.#waiting.add(wake);
    });
  }
}

interface Taken {
  readonly answer: Omit<WireAnswer, 'oneWrite'>;
  readonly length: number;
}

/** Takes one answer off the front of `received`; undefined while its body is not complete. */
function takeAnswer(received: Buffer, headEnd: number, method: string, ended: boolean): Taken | undefined {
  const [statusLine = '', ...lines] = received.subarray(0, headEnd).toString('latin1').split('\r\n');
  const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(statusLine)?.[1]);
  if (!Number.isInteger(status)) throw new Error(`not an HTTP answer: ${JSON.stringify(statusLine.slice(0, 80))}`);
  const headers = lines.map((line): readonly [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  const headBytes = headEnd + HEAD_END.length;
  const rest = received.subarray(headBytes);
  const finish = (body: Buffer, bodyLength: number): Taken => ({
    answer: { closed: false, status, headers, body: body.toString('utf8'), headBytes },
    length: headBytes + bodyLength,
  });
  const value = (name: string) => headers.find(([candidate]) => candidate === name)?.[1];
  if (method === 'HEAD' || NO_BODY.has(status) || (status >= 100 && status < 200)) return finish(Buffer.alloc(0), 0);
  if (value('transfer-encoding')?.toLowerCase() === 'chunked') {
    const decoded = takeChunks(rest);
    return decoded && finish(decoded.body, decoded.length);
  }
  const length = value('content-length');
  if (length !== undefined) {
    const wanted = Number(length);
    return rest.length >= wanted ? finish(rest.subarray(0, wanted), wanted) : undefined;
  }
  return ended ? finish(rest, rest.length) : undefined;
}

function takeChunks(bytes: Buffer): { body: Buffer; length: number } | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.subarray(at, lineEnd).toString('latin1'), 16);
    const start = lineEnd + 2;
    if (!Number.isInteger(size)) throw new Error('malformed chunk size in an answer');
    if (bytes.length < start + size + 2) return undefined;
    if (size === 0) return { body: Buffer.concat(parts), length: start + 2 };
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}
