import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** A request of the engine as it came. */
export interface Recorded {
  readonly line: string;
  /** Path without the query. */
  readonly path: string;
  /** Header lines as they came. */
  readonly headers: readonly string[];
  readonly body: string;
}

/** How one answer is disturbed; what is left out is as keyd gives it. */
export interface Play {
  /** Requests of this path; all when left out. */
  readonly path?: string;
  /** Runs before keyd is asked. */
  readonly before?: () => Promise<void>;
  /** JSON text in place of keyd's, with status 200. */
  readonly body?: string;
  /** In place of keyd's `application/json`. */
  readonly contentType?: string;
  /** So many bytes, a pause, then the rest; `close` ends the connection in place of the rest. */
  readonly splitAt?: number;
  readonly close?: boolean;
  /** No answer, the connection stays open. */
  readonly silent?: boolean;
}

const PAUSE_MS = 60;

interface Message {
  readonly head: string;
  readonly body: string;
}

/** The first whole message of a text (latin1), which has to carry a content-length where it has a body. */
function messageIn(text: string): Message | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const head = text.slice(0, end);
  const length = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
  const body = text.slice(end + 4, end + 4 + length);
  return body.length < length ? undefined : { head, body };
}

/** Resolves with the first whole message of a socket; undefined where it ends before. */
async function receive(socket: Socket): Promise<Message | undefined> {
  let text = '';
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    text += (chunk as Buffer).toString('latin1');
    const message = messageIn(text);
    if (message) return message;
  }
  return undefined;
}

/** Stands between the engine and keyd: notes each request, and disturbs answers as it is told. One request a connection. */
export class Recorder {
  readonly path: string;
  readonly #server: Server;
  readonly #keyd: string;
  readonly #open = new Set<Socket>();
  #requests: Recorded[] = [];
  #plays: readonly Play[] = [];
  /** Connections since the last {@link take}. */
  #connections = 0;

  private constructor(path: string, keyd: string) {
    this.path = path;
    this.#keyd = keyd;
    this.#server = createServer((socket) => {
      this.#connections += 1;
      this.#open.add(socket.on('error', () => undefined).on('close', () => this.#open.delete(socket)));
      this.#serve(socket).catch(() => socket.destroy());
    });
  }

  static async start(path: string, keyd: string): Promise<Recorder> {
    const recorder = new Recorder(path, keyd);
    recorder.#server.listen(path);
    await once(recorder.#server, 'listening');
    return recorder;
  }

  /** From now on answers are disturbed so; without any, not at all. */
  play(...plays: readonly Play[]): void {
    this.#plays = plays;
  }

  /** What has come since the last time, and how often the engine connected. */
  take(): { readonly requests: readonly Recorded[]; readonly connections: number } {
    const taken = { requests: this.#requests, connections: this.#connections };
    this.#requests = [];
    this.#connections = 0;
    return taken;
  }

  async close(): Promise<void> {
    for (const socket of this.#open) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #serve(socket: Socket): Promise<void> {
    const request = await receive(socket);
    if (!request) return;
    const [line = '', ...headers] = request.head.split('\r\n');
    const path = line.split(' ')[1]?.split('?')[0] ?? '';
    this.#requests.push({ line, path, headers, body: request.body });
    const play = this.#plays.find((candidate) => candidate.path === undefined || candidate.path === path) ?? {};
    if (play.silent) return;
    await play.before?.();
    await this.#answer(socket, play, await this.#ask(request));
  }

  /** keyd's answer to a request as it came. */
  async #ask({ head, body }: Message): Promise<Message> {
    const keyd = connect(this.#keyd);
    try {
      keyd.write(Buffer.from(`${head}\r\n\r\n${body}`, 'latin1'));
      const answer = await receive(keyd);
      if (!answer) throw new Error('keyd closed without an answer');
      return answer;
    } finally {
      keyd.destroy();
    }
  }

  async #answer(socket: Socket, play: Play, { head, body }: Message): Promise<void> {
    const text = play.body ?? body;
    const status = play.body === undefined ? (head.split('\r\n')[0] ?? '') : 'HTTP/1.1 200 OK';
    const type = `content-type: ${play.contentType ?? 'application/json'}`;
    const whole = Buffer.from(`${status}\r\n${type}\r\ncontent-length: ${text.length}\r\n\r\n${text}`, 'latin1');
    if (play.splitAt === undefined && !play.close) {
      socket.end(whole);
      return;
    }
    socket.write(whole.subarray(0, play.splitAt ?? 0));
    await delay(PAUSE_MS);
    socket.end(play.close ? Buffer.alloc(0) : whole.subarray(play.splitAt ?? 0));
  }
}
