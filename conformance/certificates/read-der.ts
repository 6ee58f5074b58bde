import assert from 'node:assert/strict';

/** An element of DER: its tag, and the octets of its content. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** Octets of the whole element. */
  readonly size: number;
}

/** The element that a text of octets begins with (X.690 8.1; definite lengths only). */
export function elementOf(der: Buffer): Element {
  const [tag, first] = [der[0], der[1]];
  assert.ok(tag !== undefined && first !== undefined, 'DER ends too early');
  const octets = first < 0x80 ? 0 : first & 0x7f;
  const length = octets === 0 ? first : der.readUIntBE(2, octets);
  const start = 2 + octets;
  assert.ok(start + length <= der.length, 'DER ends too early');
  return { tag, content: der.subarray(start, start + length), size: start + length };
}

/** The elements inside a constructed one. */
export function membersOf({ content }: Element): Element[] {
  const members: Element[] = [];
  for (let rest = content; rest.length > 0; rest = rest.subarray(members.at(-1)?.size)) members.push(elementOf(rest));
  return members;
}

/** An object identifier in dotted text. */
export function oidText({ content }: Element): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const octet of content) {
    arc = arc * 128 + (octet & 0x7f);
    if (octet & 0x80) continue;
    if (arcs.length === 0) arcs.push(Math.min(2, Math.floor(arc / 40)), arc - 40 * Math.min(2, Math.floor(arc / 40)));
    else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}
