/** DER (X.690) encoding, as much of it as a certificate request needs. */

function length(bytes: number): Buffer {
  if (bytes < 0x80) return Buffer.of(bytes);
  const hex = bytes.toString(16);
  const octets = Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
  return Buffer.concat([Buffer.of(0x80 | octets.length), octets]);
}

/** One element: tag, length, and the contents one after the other. */
export function element(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents);
  return Buffer.concat([Buffer.of(tag), length(content.length), content]);
}

export const sequence = (...contents: readonly Uint8Array[]): Buffer => element(0x30, ...contents);
export const set = (...contents: readonly Uint8Array[]): Buffer => element(0x31, ...contents);
export const octets = (...contents: readonly Uint8Array[]): Buffer => element(0x04, ...contents);
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text, 'utf8'));
export const TRUE = element(0x01, Buffer.of(0xff));
export const NULL = element(0x05);

/** A positive integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  const magnitude = first < 0 ? Buffer.of(0) : Buffer.from(bytes.subarray(first));
  return element(0x02, ((magnitude[0] ?? 0) & 0x80) === 0 ? magnitude : Buffer.concat([Buffer.of(0), magnitude]));
}

/** A bit string; the last `unused` bits do not count. */
export function bits(content: Uint8Array, unused = 0): Buffer {
  return element(0x03, Buffer.of(unused), content);
}

/** An object identifier from its dotted text. */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number);
  const arcs = [first * 40 + second, ...rest].flatMap((arc) => {
    const sevens = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) sevens.unshift((left & 0x7f) | 0x80);
    return sevens;
  });
  return element(0x06, Buffer.from(arcs));
}
