import type { RecordedAnswer } from './golden-file.ts';
import type { WireAnswer } from './wire.ts';

const PLACEHOLDER = /^\{\{[^{}]+\}\}$/;
const OWN_TEXT_STATUS = new Set([422]);
/** Reasons after the first line of a message that come from the reference's crypto library; their place counts, their text does not. */
const LIBRARY_TEXT = 'message after its first line';

/** What may differ in an answer, beside what differs in every one (dates, lengths that follow from the body). */
export interface Freedom {
  readonly volatile: readonly string[];
  /** The members that the exchange keeps. */
  readonly saved: readonly string[];
}

/**
 * The differences between a recorded answer and one of the daemon under test; empty when they agree.
 * Compared: status, content type, connection, the shape of the body, each value that is not volatile; parser texts of 422 answers
 * and texts of the crypto library are not compared (fixtures/golden/README.md).
 */
export function differences(recorded: RecordedAnswer, came: WireAnswer, freedom: Freedom): string[] {
  const found: string[] = [];
  if (came.status !== recorded.status)
    found.push(`status ${came.status} instead of ${recorded.status}, body ${came.body.slice(0, 300)}`);
  const header = (name: string) => came.headers.find(([candidate]) => candidate === name)?.[1];
  const type = recorded.headers['content-type'];
  if (header('content-type') !== type) found.push(`content-type ${header('content-type')} instead of ${type}`);
  const lengthWanted = recorded.headers['content-length'] !== undefined;
  if (lengthWanted && header('content-length') === undefined) found.push('no content-length');
  if (header('transfer-encoding') !== undefined) found.push('a transfer-encoding');
  if (recorded.oneWrite && !came.oneWrite) found.push('the head did not come in one read');
  if (recorded.headBytes !== undefined && recorded.headBytes <= 512 && came.headBytes > 512)
    found.push(`a head of ${came.headBytes} bytes; small clients read at most 512`);
  if (found.length === 0) found.push(...bodyDifferences(recorded, came, freedom));
  return found;
}

function bodyDifferences(recorded: RecordedAnswer, came: WireAnswer, freedom: Freedom): string[] {
  if (typeof recorded.body === 'string' || recorded.body === null) {
    const wanted = recorded.body ?? '';
    return came.body === wanted
      ? []
      : [`body ${JSON.stringify(came.body.slice(0, 200))} instead of ${JSON.stringify(wanted)}`];
  }
  let body: unknown;
  try {
    body = JSON.parse(came.body);
  } catch {
    return [`body is not JSON: ${JSON.stringify(came.body.slice(0, 200))}`];
  }
  if (recorded.status >= 400 && OWN_TEXT_STATUS.has(recorded.status)) {
    const message = member(body, 'message');
    return typeof message === 'string' && message !== '' && keys(body) === 'message'
      ? []
      : [`body ${came.body} is not {"message": text}`];
  }
  if (freedom.volatile.some((name) => name.startsWith(LIBRARY_TEXT)))
    return valueDifferences(firstLine(recorded.body), firstLine(body), 'body', freedom);
  return valueDifferences(recorded.body, body, 'body', freedom);
}

function firstLine(body: unknown): unknown {
  const message = member(body, 'message');
  return typeof message === 'string' ? { message: message.split('\n')[0] } : body;
}

function valueDifferences(recorded: unknown, came: unknown, at: string, freedom: Freedom): string[] {
  const name = at.slice(at.lastIndexOf('.') + 1);
  const free = freedom.volatile.includes(name) || freedom.saved.includes(name);
  if (typeof recorded === 'string') {
    if (typeof came !== 'string') return [`${at} is ${JSON.stringify(came)}, not a string`];
    if (free || PLACEHOLDER.test(recorded)) return came === '' && recorded !== '' ? [`${at} is empty`] : [];
    return came === recorded ? [] : [`${at} is ${brief(came)} instead of ${brief(recorded)}`];
  }
  if (Array.isArray(recorded)) {
    if (!Array.isArray(came)) return [`${at} is not a list`];
    if (!free && recorded.length !== came.length)
      return [`${at} has ${came.length} items instead of ${recorded.length}`];
    return recorded.flatMap((item, index) =>
      index < came.length ? valueDifferences(item, came[index], `${at}.${index}`, freedom) : [],
    );
  }
  if (typeof recorded === 'object' && recorded !== null) {
    if (typeof came !== 'object' || came === null || Array.isArray(came)) return [`${at} is not an object`];
    if (keys(recorded) !== keys(came)) return [`${at} has the members ${keys(came)} instead of ${keys(recorded)}`];
    return Object.entries(recorded).flatMap(([key, item]) =>
      valueDifferences(item, member(came, key), `${at}.${key}`, freedom),
    );
  }
  if (free) return typeof came === typeof recorded ? [] : [`${at} is ${JSON.stringify(came)}`];
  return Object.is(recorded, came) ? [] : [`${at} is ${JSON.stringify(came)} instead of ${JSON.stringify(recorded)}`];
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? new Map<string, unknown>(Object.entries(value)).get(name)
    : undefined;
}

function keys(value: unknown): string {
  return typeof value === 'object' && value !== null ? Object.keys(value).join(', ') : '';
}

function brief(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 200 ? `${quoted.slice(0, 200)}…` : quoted;
}
