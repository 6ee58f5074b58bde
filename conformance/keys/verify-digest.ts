import type { KeyObject } from 'node:crypto';

const ORDER = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
const PRIME = BigInt('0xffffffff00000001000000000000000000000000ffffffffffffffffffffffff');
const B = BigInt('0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b');
const BASE: Point = {
  x: BigInt('0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296'),
  y: BigInt('0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5'),
};

type Point = { readonly x: bigint; readonly y: bigint } | undefined;

/**
 * True when a DER signature holds over a digest that was not made by this process's hash functions (any length, the leftmost
 * 256 bits count). node:crypto verifies messages only, hence the arithmetic; it judges test answers, it decides no trust.
 * The public key has to be on P-256.
 */
export function verifiesDigest(key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  const { x, y } = key.export({ format: 'jwk' });
  const point = { x: number(Buffer.from(x ?? '', 'base64url')), y: number(Buffer.from(y ?? '', 'base64url')) };
  if (mod(point.y ** 2n - (point.x ** 3n - 3n * point.x + B), PRIME) !== 0n) return false;
  const [r, s] = readSignature(signature);
  if (r <= 0n || r >= ORDER || s <= 0n || s >= ORDER) return false;
  const e = number(digest.subarray(0, 32));
  const w = inverse(s, ORDER);
  const sum = add(multiply(BASE, mod(e * w, ORDER)), multiply(point, mod(r * w, ORDER)));
  return sum !== undefined && mod(sum.x, ORDER) === r;
}

function readSignature(der: Uint8Array): [bigint, bigint] {
  const bytes = Buffer.from(der);
  if (bytes[0] !== 0x30 || bytes[1] !== bytes.length - 2 || bytes[2] !== 2) throw new Error('not a DER signature');
  const rLength = bytes[3] ?? 0;
  if (bytes[4 + rLength] !== 2) throw new Error('not a DER signature');
  return [number(bytes.subarray(4, 4 + rLength)), number(bytes.subarray(6 + rLength))];
}

function number(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).toString('hex') || '0'}`);
}

function mod(value: bigint, modulus: bigint): bigint {
  const rest = value % modulus;
  return rest < 0n ? rest + modulus : rest;
}

/** Extended Euclid: value · result ≡ 1. */
function inverse(value: bigint, modulus: bigint): bigint {
  let [a, b] = [mod(value, modulus), modulus];
  let [u, v] = [1n, 0n];
  while (b > 0n) {
    const ratio = a / b;
    [a, b] = [b, a - ratio * b];
    [u, v] = [v, u - ratio * v];
  }
  return mod(u, modulus);
}

function add(a: Point, b: Point): Point {
  if (!a) return b;
  if (!b) return a;
  if (a.x === b.x && mod(a.y + b.y, PRIME) === 0n) return undefined;
  const slope =
    a.x === b.x
      ? mod((3n * a.x * a.x - 3n) * inverse(2n * a.y, PRIME), PRIME)
      : mod((b.y - a.y) * inverse(mod(b.x - a.x, PRIME), PRIME), PRIME);
  const x = mod(slope * slope - a.x - b.x, PRIME);
  return { x, y: mod(slope * (a.x - x) - a.y, PRIME) };
}

function multiply(point: Point, factor: bigint): Point {
  let [result, power, rest]: [Point, Point, bigint] = [undefined, point, factor];
  while (rest > 0n) {
    if (rest & 1n) result = add(result, power);
    power = add(power, power);
    rest >>= 1n;
  }
  return result;
}
