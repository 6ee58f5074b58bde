/** Bytes that are no DER, or not the DER that was expected; the text says where. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

/** One value of DER: identifier octet, the whole encoding, and its content. */
export interface DerValue {
  readonly tag: number;
  readonly raw: Buffer;
  readonly content: Buffer;
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  nothing: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  t61String: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

const LONGEST_LENGTH_BYTES = 4;
const HIGH_TAG = 0x1f;

function readAt(bytes: Buffer, at: number): DerValue {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) throw new DerError('a value is cut short');
  if ((tag & HIGH_TAG) === HIGH_TAG) throw new DerError('a tag of many bytes');
  let start = at + 2;
  let size = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > LONGEST_LENGTH_BYTES || start + count > bytes.length)
      throw new DerError('a length is not DER');
    size = bytes.readUIntBE(start, count);
    start += count;
    if (size < 0x80 || (count > 1 && size < 2 ** (8 * (count - 1)))) throw new DerError('a length is not the shortest');
  }
  if (start + size > bytes.length) throw new DerError('a value is cut short');
  return { tag, raw: bytes.subarray(at, start + size), content: bytes.subarray(start, start + size) };
}

/** The one value that these bytes are (X.690 section 10). @throws DerError where they are none, or more than one */
export function readDer(bytes: Buffer): DerValue {
  const value = readAt(bytes, 0);
  if (value.raw.length !== bytes.length) throw new DerError('bytes after the value');
  return value;
}

/** The values inside a constructed value, in order. @throws DerError */
export function membersOf(value: DerValue): DerValue[] {
  if ((value.tag & 0x20) === 0) throw new DerError('a value without members where some were expected');
  const members: DerValue[] = [];
  for (let at = 0; at < value.content.length; ) {
    const member = readAt(value.content, at);
    members.push(member);
    at += member.raw.length;
  }
  return members;
}

/** The value itself, where it has this tag. @throws DerError */
export function expectTag(value: DerValue | undefined, tag: number, what: string): DerValue {
  if (value?.tag !== tag) throw new DerError(`${what} is missing or of another type`);
  return value;
}

const MOST_OIDS = 256;
const LONGEST_KEPT_OID = 16;
const readOids = new Map<string, string>();

/** Dotted decimals of an OBJECT IDENTIFIER; decoded once, as requests have always the same. @throws DerError */
export function readOid(value: DerValue | undefined): string {
  const { content } = expectTag(value, TAG.oid, 'an object identifier');
  if (content.length > LONGEST_KEPT_OID) return decodeOid(content);
  const key = content.toString('latin1');
  const known = readOids.get(key);
  if (known !== undefined) return known;
  const decoded = decodeOid(content);
  if (readOids.size < MOST_OIDS) readOids.set(key, decoded);
  return decoded;
}

function decodeOid(content: Buffer): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  content.forEach((byte, at) => {
    if (arc === 0n && byte === 0x80) throw new DerError('an object identifier is not DER');
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    if (byte & 0x80) {
      if (at === content.length - 1) throw new DerError('an object identifier is cut short');
      return;
    }
    arcs.push(arc);
    arc = 0n;
  });
  const [first, ...rest] = arcs;
  if (first === undefined) throw new DerError('an empty object identifier');
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - root * 40n, ...rest].join('.');
}

/** One value of these contents. */
export function der(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  let size = 0;
  for (const content of contents) size += content.length;
  const head = size < 0x80 ? 2 : size < 0x100 ? 3 : size < 0x10000 ? 4 : 5;
  const bytes = Buffer.allocUnsafe(head + size);
  bytes[0] = tag;
  if (head === 2) bytes[1] = size;
  else {
    bytes[1] = 0x80 | (head - 2);
    bytes.writeUIntBE(size, 2, head - 2);
  }
  let at = head;
  for (const content of contents) {
    bytes.set(content, at);
    at += content.length;
  }
  return bytes;
}

export const sequence = (...contents: readonly Uint8Array[]): Buffer => der(TAG.sequence, ...contents);

/** A SET OF, in the order that DER asks for. */
export const setOf = (...contents: readonly Uint8Array[]): Buffer =>
  der(TAG.set, ...[...contents].sort((left, right) => Buffer.compare(left, right)));

export const octets = (content: Uint8Array): Buffer => der(TAG.octetString, content);

/** A BIT STRING of whole bytes. */
export const bits = (content: Uint8Array): Buffer => der(TAG.bitString, Buffer.of(0), content);

export const nothing = (): Buffer => der(TAG.nothing);

/** A context-specific, constructed tag around the contents. */
export const tagged = (number: number, ...contents: readonly Uint8Array[]): Buffer => der(0xa0 | number, ...contents);

/** A small number that is not negative, or the bytes of a large one, most significant first. */
export function integer(value: number | Uint8Array): Buffer {
  if (typeof value !== 'number') {
    const from = value.findIndex((byte) => byte !== 0);
    const shortest = from < 0 ? Buffer.of(0) : value.subarray(from);
    return der(TAG.integer, (shortest[0] ?? 0) & 0x80 ? Buffer.of(0) : Buffer.alloc(0), shortest);
  }
  const hex = value.toString(16);
  return integer(Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex'));
}

const oids = new Map<string, Buffer>();

/** An OBJECT IDENTIFIER from dotted decimals; encoded once, as a certificate has a dozen of always the same. */
export function oid(dotted: string): Buffer {
  const known = oids.get(dotted);
  if (known) return known;
  const encoded = encodeOid(dotted);
  if (oids.size < MOST_OIDS) oids.set(dotted, encoded);
  return encoded;
}

function encodeOid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const bytes = [first * 40 + second, ...rest].flatMap((arc) => {
    const groups = [arc % 0x80];
    for (let left = Math.floor(arc / 0x80); left > 0; left = Math.floor(left / 0x80))
      groups.unshift((left % 0x80) | 0x80);
    return groups;
  });
  return der(TAG.oid, Buffer.from(bytes));
}

/** UTCTime until 2049, GeneralizedTime from 2050 on (RFC 5280 4.1.2.5); whole seconds. */
export function time(at: Date): Buffer {
  const digits = at.toISOString().replace(/[-:T]/g, '').slice(0, 14);
  return at.getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : der(TAG.generalizedTime, Buffer.from(`${digits}Z`));
}

/** Lines of 64 characters, each with this end. */
export const linesOf = (text: string, end: string): string =>
  (text.match(/.{1,64}/g) ?? []).map((line) => line + end).join('');

/** PEM with lines of 64. */
export const pem = (label: string, bytes: Buffer): string =>
  `-----BEGIN ${label}-----\n${linesOf(bytes.toString('base64'), '\n')}-----END ${label}-----\n`;
