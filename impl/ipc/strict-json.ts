/** A JSON text that cannot be taken; `message` is for the caller. */
export class JsonRefused extends Error {
  override readonly name = 'JsonRefused';
}

const DEEPEST = 64;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;

/** Index just after the string that opens at `start`; the text is known to be valid JSON. */
function endOfString(text: string, start: number): number {
  let at = start + 1;
  for (;;) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 2;
    else if (code === QUOTE) return at + 1;
    else at++;
  }
}

function skipSpace(text: string, start: number): number {
  let at = start;
  while (text.charCodeAt(at) <= 0x20) at++;
  return at;
}

/** Refuses nesting beyond a bound before the parser meets it. */
function checkDepth(text: string): void {
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (inString) {
      if (char === '\\') at++;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      depth++;
      if (depth > DEEPEST) throw new JsonRefused(`nested deeper than ${DEEPEST} levels`);
    } else if (char === '}' || char === ']') depth--;
  }
}

/** Finds a member name given twice in one object; the text is known to be valid JSON. */
function duplicateMember(text: string): string | undefined {
  const open: (Set<string> | undefined)[] = [];
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '{') open.push(new Set());
    else if (char === '[') open.push(undefined);
    else if (char === '}' || char === ']') open.pop();
    else if (char === '"') {
      const end = endOfString(text, at);
      const names = open.at(-1);
      if (names && text.charCodeAt(skipSpace(text, end)) === COLON) {
        const raw = text.slice(at, end);
        const name = raw.includes('\\') ? (JSON.parse(raw) as string) : raw.slice(1, -1);
        if (names.has(name)) return name;
        names.add(name);
      }
      at = end - 1;
    }
  }
  return undefined;
}

/**
 * Parses JSON as the daemons need it: RFC 8259, no duplicate member in one object, nesting of at most 64
 * (spec/transport.md 6). Throws {@link JsonRefused}; the message never repeats the text, which may hold secrets.
 */
export function parseStrictJson(text: string): unknown {
  checkDepth(text);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const position = /at position (\d+)/.exec((error as Error).message)?.[1];
    throw new JsonRefused(
      position ? `not valid JSON at character ${position}` : 'not valid JSON: the text ends too early',
    );
  }
  const twice = duplicateMember(text);
  if (twice !== undefined) throw new JsonRefused(`duplicate member "${twice}"`);
  return value;
}
