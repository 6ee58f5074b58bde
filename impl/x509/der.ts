import * as asn1 from 'asn1js';
import type { DerNode } from './der-node.ts';
import { readPlainDer } from './plain-der.ts';

export type { DerNode } from './der-node.ts';

/** Raised when bytes are no definite-length ASN.1 within the limits; `message` names what was read. */
export class DerError extends Error {
  override readonly name = 'DerError';
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  sequence: 0x30,
  set: 0x31,
  context0: 0xa0,
  context3: 0xa3,
} as const;

const LIMITS = { maxDepth: 32, maxNodes: 20_000, maxContentLength: 1024 * 1024, parseEmbedded: false } as const;

function toNode(block: asn1.BaseBlock): DerNode {
  const raw = block.valueBeforeDecodeView;
  const inner = block instanceof asn1.Constructed ? block.valueBlock.value : [];
  const headerLength = block.idBlock.blockLength + block.lenBlock.blockLength;
  const end = block.lenBlock.isIndefiniteForm ? raw.length - 2 : raw.length;
  return { tag: raw[0] ?? 0, raw, content: raw.subarray(headerLength, end), children: inner.map(toNode) };
}

/**
 * Decodes one element that fills `bytes`; sizes, depth and element counts are limited.
 *
 * @param what names the thing in the error, as `certificate`.
 * @throws DerError when the bytes are cut, too deep, too large, or followed by others.
 */
export function readDer(bytes: Uint8Array, what: string): DerNode {
  // a copy, so that the nodes stay what they were
  const own = Uint8Array.from(bytes);
  return readPlainDer(own) ?? readCarefully(own, what);
}

/** As {@link readDer}, by asn1js alone. */
export function readCarefully(bytes: Uint8Array, what: string): DerNode {
  const { offset, result } = decoded(bytes, what);
  if (offset === -1) throw new DerError(`${what} is not valid DER: ${result.error}`);
  if (offset !== bytes.length) throw new DerError(`${what} is followed by ${bytes.length - offset} stray bytes`);
  return toNode(result);
}

/** What asn1js makes of the bytes; it throws for some values that are none, a time of letters for one. */
function decoded(bytes: Uint8Array, what: string): asn1.FromBerResult {
  try {
    return asn1.fromBER(bytes, LIMITS);
  } catch (cause) {
    throw new DerError(`${what} is not valid DER`, { cause });
  }
}

/** The child at `index` when it has the wanted tag. Throws {@link DerError} naming `what` otherwise. */
export function childOf(node: DerNode | undefined, index: number, tag: number, what: string): DerNode {
  const child = node?.children[index];
  if (child?.tag !== tag) throw new DerError(`${what} is missing or of the wrong type`);
  return child;
}

/** Texts of object identifiers by their DER: the same few come in every certificate. */
const knownOids = new Map<string, string>();
const MOST_OIDS = 256;
const LONGEST_OID_BYTES = 64;

/** The dotted text of an OBJECT IDENTIFIER element, or an empty text for any other element. */
export function oidText(node: DerNode | undefined): string {
  if (node?.tag !== TAG.oid) return '';
  const name = Buffer.from(node.raw).toString('latin1');
  const known = knownOids.get(name);
  if (known !== undefined) return known;
  const { result } = asn1.fromBER(Uint8Array.from(node.raw));
  const text = result instanceof asn1.ObjectIdentifier ? result.valueBlock.toString() : '';
  if (knownOids.size >= MOST_OIDS) knownOids.clear();
  if (node.raw.length <= LONGEST_OID_BYTES) knownOids.set(name, text);
  return text;
}

/** Encodes an element of the given identifier octet around ready content. */
export function wrap(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag]), lengthOctets(content.length), content]);
}

function lengthOctets(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length]);
  const digits = length.toString(16);
  const octets = Buffer.from(digits.padStart(digits.length + (digits.length % 2), '0'), 'hex');
  return Buffer.concat([Buffer.from([0x80 | octets.length]), octets]);
}

export const sequence = (...parts: readonly Uint8Array[]): Buffer => wrap(TAG.sequence, ...parts);

/** A BIT STRING of whole octets. */
export const bitString = (bytes: Uint8Array): Buffer => wrap(TAG.bitString, Buffer.of(0), bytes);

export const octetString = (bytes: Uint8Array): Buffer => wrap(TAG.octetString, bytes);

/** A non-negative INTEGER from its magnitude, big endian. */
export function unsignedInteger(magnitude: Uint8Array): Buffer {
  let start = 0;
  while (start < magnitude.length - 1 && magnitude[start] === 0) start++;
  const digits = magnitude.subarray(start);
  const sign = (digits[0] ?? 0) >= 0x80 ? [Buffer.of(0)] : [];
  return wrap(TAG.integer, ...sign, digits.length > 0 ? digits : Buffer.of(0));
}

/**
 * An OBJECT IDENTIFIER.
 *
 * @throws DerError when the text is no dotted OID.
 */
export function oid(dotted: string): Buffer {
  if (!/^[0-2](\.(0|[1-9]\d{0,38}))+$/.test(dotted)) throw new DerError(`"${dotted}" is not an object identifier`);
  return Buffer.from(new asn1.ObjectIdentifier({ value: dotted }).toBER());
}
