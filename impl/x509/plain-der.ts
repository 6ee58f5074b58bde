import type { DerNode } from './der-node.ts';

const CONSTRUCTED = 0x20;
const NUMBER_BITS = 0x1f;
const CLASS_BITS = 0xc0;
const BOOLEAN = 0x01;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const NULL = 0x05;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const SEQUENCE = 0x10;
const SET = 0x11;
const PRINTABLE_STRING = 0x13;
const IA5_STRING = 0x16;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;

/** Limits as those of the careful reader, and a depth that no certificate reaches. */
const MOST_NODES = 2000;
const DEEPEST = 16;

class Reader {
  readonly #bytes: Uint8Array;
  #nodes = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The element that begins at `start` and ends at or before `limit`; undefined where it is not plain. */
  read(start: number, limit: number, depth: number): DerNode | undefined {
    const bytes = this.#bytes;
    const tag = bytes[start] ?? 0;
    if (depth > DEEPEST || ++this.#nodes > MOST_NODES || start + 2 > limit) return undefined;
    let length = bytes[start + 1] ?? 0;
    let from = start + 2;
    if (length >= 0x80) {
      const octets = length & 0x7f;
      if (octets < 1 || octets > 3 || from + octets > limit) return undefined;
      length = 0;
      for (let index = 0; index < octets; index++) length = length * 256 + (bytes[from++] ?? 0);
      // the shortest form, as DER wants it
      if (length < 0x80 || length < 256 ** (octets - 1)) return undefined;
    }
    const end = from + length;
    if (end > limit) return undefined;
    const content = bytes.subarray(from, end);
    const children = (tag & CONSTRUCTED) === 0 ? [] : this.#children(from, end, depth);
    if (!children || !isPlain(tag, content)) return undefined;
    return { tag, raw: bytes.subarray(start, end), content, children };
  }

  #children(from: number, end: number, depth: number): DerNode[] | undefined {
    const children: DerNode[] = [];
    for (let at = from; at < end; ) {
      const child = this.read(at, end, depth + 1);
      if (!child) return undefined;
      children.push(child);
      at += child.raw.length;
    }
    return children;
  }
}

/** Whether nothing about the element needs a second look: a type that certificates are made of, with content that it can have. */
function isPlain(tag: number, content: Uint8Array): boolean {
  const number = tag & NUMBER_BITS;
  if ((tag & CLASS_BITS) !== 0) return (tag & CLASS_BITS) === 0x80 && number !== NUMBER_BITS;
  const constructed = (tag & CONSTRUCTED) !== 0;
  if (number === SEQUENCE || number === SET) return constructed;
  if (constructed) return false;
  switch (number) {
    case BOOLEAN:
      return content.length === 1;
    case INTEGER:
      return content.length > 0;
    case BIT_STRING:
      return content.length > 0 && (content[0] ?? 8) < 8 && (content.length > 1 || content[0] === 0);
    case NULL:
      return content.length === 0;
    case OBJECT_IDENTIFIER:
      return content.length > 0 && (content.at(-1) ?? 0x80) < 0x80;
    case OCTET_STRING:
    case UTF8_STRING:
    case PRINTABLE_STRING:
    case IA5_STRING:
      return true;
    case UTC_TIME:
      return content.length === 13;
    case GENERALIZED_TIME:
      return content.length === 15;
    default:
      return false;
  }
}

/**
 * Reads DER that is made of the common types with definite lengths in their shortest form, which is what certificates and requests are. A
 * short cut before asn1js, which is asked about everything else: undefined means "not plain", never "wrong". The nodes are views of
 * `bytes`.
 */
export function readPlainDer(bytes: Uint8Array): DerNode | undefined {
  const node = new Reader(bytes).read(0, bytes.length, 0);
  return node?.raw.length === bytes.length ? node : undefined;
}
