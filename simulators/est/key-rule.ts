import type { KeyObject } from 'node:crypto';
import { membersOf, readDer, readOid, TAG } from './der.ts';
import { EstRefusal } from './refusal.ts';

/** Which public keys are certified. */
export interface KeyRule {
  readonly types: readonly ('rsa' | 'ec' | 'ed25519')[];
  /** Modulus bits. */
  readonly shortestRsa: number;
  readonly longestRsa: number;
  /** OpenSSL's names. */
  readonly curves: readonly string[];
}

/** What is taken where nothing else is asked for. */
export const STRICT_KEYS: KeyRule = {
  types: ['rsa', 'ec', 'ed25519'],
  shortestRsa: 2048,
  longestRsa: 8192,
  curves: ['prime256v1', 'secp384r1', 'secp521r1'],
};

const CURVE_NAMES: Readonly<Record<string, string>> = { prime256v1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };

const CURVES = new Map([
  ['1.2.840.10045.3.1.7', 'prime256v1'],
  ['1.3.132.0.34', 'secp384r1'],
  ['1.3.132.0.35', 'secp521r1'],
]);

function listed(words: readonly string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : (words[0] ?? 'none');
}

/** OpenSSL's name of the curve (RFC 5480 2.1.1); it is read, which is faster than to ask the key; that is done for the rarer ones. */
export function curveOf(key: KeyObject, spki: Buffer): string {
  const [algorithm] = membersOf(readDer(spki));
  const curve = algorithm && membersOf(algorithm)[1];
  const known = CURVES.get(curve?.tag === TAG.oid ? readOid(curve) : '');
  return known ?? key.asymmetricKeyDetails?.namedCurve ?? '';
}

/** @throws EstRefusal 400 where the rule does not take the key, which is also given as SubjectPublicKeyInfo */
export function checkKey(key: KeyObject, spki: Buffer, rule: KeyRule): void {
  const { asymmetricKeyType: type = 'unknown' } = key;
  if (!(rule.types as readonly string[]).includes(type))
    throw new EstRefusal(400, `keys of type ${type} are not certified; use ${listed(rule.types)}`);
  const bits = type === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 0;
  if (type === 'rsa' && bits < rule.shortestRsa)
    throw new EstRefusal(400, `RSA keys need at least ${rule.shortestRsa} bits`);
  if (type === 'rsa' && bits > rule.longestRsa)
    throw new EstRefusal(400, `RSA keys may have at most ${rule.longestRsa} bits`);
  if (type === 'ec' && !rule.curves.includes(curveOf(key, spki)))
    throw new EstRefusal(400, `EC keys must be on ${listed(rule.curves.map((curve) => CURVE_NAMES[curve] ?? curve))}`);
}
