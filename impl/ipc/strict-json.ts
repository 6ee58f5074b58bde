/** A JSON text that cannot be taken; `message` is for the caller. */
export class JsonRefused extends Error {
  override readonly name = 'JsonRefused';
}

const DEEPEST = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const SPACE = 0x20;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

/** Index just after the string that opens at `start`, or the length of the text where it does not close. */
function endOfString(text: string, start: number): number {
  let at = start;
  for (;;) {
    at = text.indexOf('"', at + 1);
    if (at < 0) return text.length;
    let escapes = 0;
    while (text.charCodeAt(at - 1 - escapes) === BACKSLASH) escapes++;
    if (escapes % 2 === 0) return at + 1;
  }
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) <= SPACE) at++;
  return at;
}

/** The name that a quoted text stands for; undefined where it is no valid string, which the parser will tell. */
function nameOf(quoted: string): string | undefined {
  if (!quoted.includes('\\')) return quoted.slice(1, -1);
  try {
    return JSON.parse(quoted) as string;
  } catch {
    return undefined;
  }
}

/**
 * Refuses nesting beyond a bound before the parser meets it, and finds a member name given twice in one object. What it finds in a text
 * that is no JSON means nothing.
 */
function scan(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  let twice: string | undefined;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      const end = endOfString(text, at);
      const names = open.at(-1);
      if (names && text.charCodeAt(skipSpace(text, end)) === COLON) {
        const name = nameOf(text.slice(at, end));
        if (name !== undefined && names.has(name)) twice ??= name;
        if (name !== undefined) names.add(name);
      }
      at = end - 1;
    } else if (code === OPEN_OBJECT || code === OPEN_ARRAY) {
      open.push(code === OPEN_OBJECT ? new Set() : undefined);
      if (open.length > DEEPEST) throw new JsonRefused(`nested deeper than ${DEEPEST} levels`);
    } else if (code === CLOSE_OBJECT || code === CLOSE_ARRAY) open.pop();
  }
  return twice;
}

/**
 * Parses JSON as the daemons need it: RFC 8259, no duplicate member in one object, nesting of at most 64
 * (spec/transport.md 6). Throws {@link JsonRefused}; the message never repeats the text, which may hold secrets.
 */
export function parseStrictJson(text: string): unknown {
  const twice = scan(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    throw new JsonRefused(
      position ? `not valid JSON at character ${position}` : 'not valid JSON: the text ends too early',
    );
  }
  if (twice !== undefined) throw new JsonRefused(`duplicate member "${twice}"`);
  return value;
}
