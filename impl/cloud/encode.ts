const UNRESERVED = /[A-Za-z0-9\-._~]/;

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}

function encode(text: string, keep: (character: string, byte: number) => boolean): string {
  let out = '';
  for (const byte of Buffer.from(text, 'utf8')) {
    const character = String.fromCharCode(byte);
    out += keep(character, byte) ? character : percent(byte);
  }
  return out;
}

/**
 * One id as one path segment: everything but unreserved characters is encoded, so that no id can reach another path
 * (spec/cloud.md 1.3, stricter). Throws for `.`, `..` and the empty id, which no encoding keeps apart from the path itself.
 */
export function encodeSegment(id: string): string {
  if (id === '' || id === '.' || id === '..') throw new Error(`id "${id}" cannot be part of an address`);
  return encode(id, (character) => UNRESERVED.test(character));
}

const RESOURCE_ENCODED = new Set([' ', '"', '<', '>', '`', '#', '?', '{', '}', '=', '%']);

/**
 * Text for the `sr` of a SAS token: lower case, then the characters of spec/cloud.md 1.3 percent-encoded, and `%` too
 * (stricter). Slashes stay literal.
 */
export function encodeResource(resource: string): string {
  return encode(
    resource.toLowerCase(),
    (character, byte) => byte > 0x1f && byte < 0x7f && !RESOURCE_ENCODED.has(character),
  );
}
