/** One DER element: tag and content. */
export interface DerElement {
  readonly tag: number;
  readonly content: Buffer;
  /** Bytes after the element. */
  readonly rest: Buffer;
}

export const DER = { integer: 0x02, bitString: 0x03, octetString: 0x04, oid: 0x06, sequence: 0x30 } as const;

/** Takes the first element off; lengths up to 3 bytes. Throws on a cut-off or over-long element. */
export function readDer(bytes: Buffer): DerElement {
  const tag = bytes[0];
  const first = bytes[1];
  if (tag === undefined || first === undefined) throw new Error('DER: element is cut off');
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 3 || first === 0x80 || bytes.length < 2 + lengthBytes) throw new Error('DER: bad length');
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(2, lengthBytes);
  const start = 2 + lengthBytes;
  if (bytes.length < start + length) throw new Error('DER: element is cut off');
  return { tag, content: bytes.subarray(start, start + length), rest: bytes.subarray(start + length) };
}

/** Encodes one element; contents below 64 KiB. */
function writeDer(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const head =
    length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function unsignedInteger(bytes: Buffer): Buffer {
  let start = 0;
  while (start < bytes.length - 1 && bytes[start] === 0) start++;
  const trimmed = bytes.subarray(start);
  const positive = (trimmed[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.of(0), trimmed]) : trimmed;
  return writeDer(DER.integer, positive.length === 0 ? Buffer.of(0) : positive);
}

/** r ‖ s as a token gives it (both halves equally long) to the DER SEQUENCE that keyd answers (spec/keys-service.md 6.3). */
export function ecdsaSignatureToDer(raw: Buffer): Buffer {
  if (raw.length === 0 || raw.length % 2 !== 0) throw new Error(`ECDSA signature of the token has ${raw.length} bytes`);
  const half = raw.length / 2;
  const parts = [unsignedInteger(raw.subarray(0, half)), unsignedInteger(raw.subarray(half))];
  return writeDer(DER.sequence, Buffer.concat(parts));
}

/** DER of the OID id-ecPublicKey (RFC 5480 2.1.1). */
const EC_PUBLIC_KEY = Buffer.from('06072a8648ce3d0201', 'hex');

/** SubjectPublicKeyInfo of an EC key. @param curveOid DER of the curve's OID. @param point SEC1. */
export function ecPublicKeyInfo(curveOid: Buffer, point: Buffer): Buffer {
  const algorithm = writeDer(DER.sequence, Buffer.concat([EC_PUBLIC_KEY, curveOid]));
  return writeDer(
    DER.sequence,
    Buffer.concat([algorithm, writeDer(DER.bitString, Buffer.concat([Buffer.of(0), point]))]),
  );
}

/** SEC1 point to its compressed form; 0x02/0x03 ones are left as they are. Throws on anything else. */
export function compressPoint(point: Buffer): Buffer {
  const form = point[0];
  if (form === 0x02 || form === 0x03) return point;
  const size = (point.length - 1) / 2;
  if (form !== 0x04 || !Number.isInteger(size) || size === 0) throw new Error('EC point has an unknown form');
  const parity = ((point.at(-1) ?? 0) & 1) === 1 ? 0x03 : 0x02;
  return Buffer.concat([Buffer.of(parity), point.subarray(1, 1 + size)]);
}
