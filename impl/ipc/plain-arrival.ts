import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Answer, Arrival } from './arrival.ts';
import type { PlainHead } from './plain-head.ts';
import { ServiceError } from './service-error.ts';

const HEADER_NAME = /^[a-z-]+$/;
const HEADER_VALUE = /^[\t -~]*$/;

let second = Number.NaN;
let dateText = '';

/** Value of the `date` header (RFC 9110 5.6.7), made once a second. */
function httpDate(): string {
  const now = Date.now();
  const current = Math.floor(now / 1000);
  if (current !== second) {
    second = current;
    dateText = new Date(now).toUTCString();
  }
  return dateText;
}

/** A plain request that is here with its whole body. */
export class PlainArrival implements Arrival {
  readonly complete = true;
  readonly text = 'checked';
  /** Set once the answer has been written: whether the connection is to end. */
  ends = false;
  #sent = false;
  readonly #head: PlainHead;
  readonly #body: Buffer;
  readonly #socket: Socket;

  constructor(head: PlainHead, body: Buffer, socket: Socket) {
    this.#head = head;
    this.#body = body;
    this.#socket = socket;
  }

  get method(): string {
    return this.#head.method;
  }

  get target(): string {
    return this.#head.target;
  }

  get headerText(): string {
    return this.#head.headerText;
  }

  get contentType(): string | undefined {
    return this.#head.contentType;
  }

  body(limit: number): Buffer {
    if (this.#body.length > limit) throw new ServiceError('body-too-large', { parameters: { limit } });
    return this.#body;
  }

  /** The same head, byte for byte, that node:http would write. */
  send(answer: Answer, options: { readonly close: boolean }): string {
    if (this.#sent || !this.#socket.writable) return '{}';
    const ends = options.close || this.#head.close;
    let head = '';
    let logged = '';
    const add = (name: string, value: string) => {
      head += `${name}: ${value}\r\n`;
      logged += `${logged === '' ? '' : ','}"${name}":${JSON.stringify(value)}`;
    };
    if ('headers' in answer && answer.headers) {
      for (const [name, value] of Object.entries(answer.headers)) {
        if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) throw new Error(`header ${name} cannot be sent`);
        add(name, value);
      }
    }
    if (ends) add('connection', 'close');
    let text = '';
    let encoding: 'latin1' | 'utf8' = 'latin1';
    if ('body' in answer) {
      text = JSON.stringify(answer.body);
      const length = Buffer.byteLength(text);
      if (length !== text.length) encoding = 'utf8';
      head += `content-type: application/json\r\ncontent-length: ${length}\r\n`;
      logged += `${logged === '' ? '' : ','}"content-type":"application/json","content-length":"${length}"`;
    }
    const line = `HTTP/1.1 ${answer.status} ${STATUS_CODES[answer.status] ?? ''}`;
    this.#sent = true;
    this.ends = ends;
    this.#socket.write(`${line}\r\n${head}Date: ${httpDate()}\r\n\r\n${text}`, encoding);
    return `{${logged}}`;
  }
}
