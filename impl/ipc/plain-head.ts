import { SECRET_HEADERS } from './arrival.ts';

/** The head of a plain request. */
export interface PlainHead {
  readonly method: string;
  readonly target: string;
  readonly contentType: string | undefined;
  /** Bytes of the body. */
  readonly contentLength: number;
  /** The caller asked for the end of the connection. */
  readonly close: boolean;
  /** The headers as JSON, for the log. */
  readonly headerText: string;
}

const LONGEST_HEAD_CHARACTERS = 2048;
const MOST_HEADERS = 32;
const MOST_REMEMBERED = 256;

const REQUEST_LINE = /^(GET|POST|PUT|DELETE) (\/[!-~]*) HTTP\/1\.1$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t -~]*)$/;
const LENGTH = /^(?:0|[1-9]\d{0,6})$/;
/** Headers that change how a message is read or answered; such a request is not plain. */
const MEANINGFUL = new Set(['transfer-encoding', 'expect', 'upgrade', 'te', 'trailer', 'http2-settings', 'keep-alive']);

/** Name to value; undefined where a line is not plain, or a name comes twice. */
function readHeaders(lines: readonly string[]): Map<string, string> | undefined {
  const headers = new Map<string, string>();
  for (const line of lines) {
    const [, name, value] = HEADER.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    if (headers.has(key) || MEANINGFUL.has(key) || SECRET_HEADERS.has(key)) return undefined;
    headers.set(key, value.trim());
  }
  return headers;
}

type HeaderPart = Omit<PlainHead, 'method' | 'target'>;

/** What the lines after the first say; undefined where they are not plain. */
function readHeaderPart(lines: readonly string[]): HeaderPart | undefined {
  const headers = lines.length > MOST_HEADERS ? undefined : readHeaders(lines);
  if (!headers) return undefined;
  const length = headers.get('content-length') ?? '0';
  const connection = headers.get('connection')?.toLowerCase() ?? 'keep-alive';
  if (!LENGTH.test(length) || (connection !== 'keep-alive' && connection !== 'close')) return undefined;
  return {
    contentType: headers.get('content-type'),
    contentLength: Number(length),
    close: connection === 'close',
    headerText: JSON.stringify(Object.fromEntries(headers)),
  };
}

/**
 * Reads a head whose form leaves no room for doubt: HTTP/1.1, a method of the daemons, an origin-form target, each header once and in
 * printable ASCII, none that changes the framing, a body of a given length. Undefined for every other, also for those that are fine: they
 * are left to node:http. `text` is what comes before the empty line.
 *
 * @param headerPart reads the header lines, as one text without the line end before them; undefined where there are none.
 */
export function readPlainHead(
  text: string,
  headerPart = (lines: string | undefined) => readHeaderPart(lines?.split('\r\n') ?? []),
): PlainHead | undefined {
  if (text.length > LONGEST_HEAD_CHARACTERS) return undefined;
  const end = text.indexOf('\r\n');
  const [, method, target] = REQUEST_LINE.exec(end < 0 ? text : text.slice(0, end)) ?? [];
  if (method === undefined || target === undefined) return undefined;
  const part = headerPart(end < 0 ? undefined : text.slice(end + 2));
  if (!part || (method === 'GET' && part.contentLength !== 0)) return undefined;
  return { method, target, ...part };
}

/** Callers send the same headers again and again; each are read once. No secret is kept, as a head with one is not plain. */
export class PlainHeads {
  readonly #known = new Map<string | undefined, HeaderPart>();

  /** As {@link readPlainHead}. */
  read(text: string): PlainHead | undefined {
    return readPlainHead(text, this.#headerPart);
  }

  readonly #headerPart = (lines: string | undefined): HeaderPart | undefined => {
    const known = this.#known.get(lines);
    if (known) return known;
    const part = readHeaderPart(lines?.split('\r\n') ?? []);
    if (part) {
      if (this.#known.size >= MOST_REMEMBERED) this.#known.clear();
      this.#known.set(lines, part);
    }
    return part;
  };
}
