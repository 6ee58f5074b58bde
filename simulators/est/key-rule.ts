import type { KeyObject } from 'node:crypto';
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

function listed(words: readonly string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : (words[0] ?? 'none');
}

/** @throws EstRefusal 400 where the rule does not take the key */
export function checkKey(key: KeyObject, rule: KeyRule): void {
  const { asymmetricKeyType: type = 'unknown', asymmetricKeyDetails: details } = key;
  if (!(rule.types as readonly string[]).includes(type))
    throw new EstRefusal(400, `keys of type ${type} are not certified; use ${listed(rule.types)}`);
  const bits = details?.modulusLength ?? 0;
  if (type === 'rsa' && bits < rule.shortestRsa)
    throw new EstRefusal(400, `RSA keys need at least ${rule.shortestRsa} bits`);
  if (type === 'rsa' && bits > rule.longestRsa)
    throw new EstRefusal(400, `RSA keys may have at most ${rule.longestRsa} bits`);
  if (type === 'ec' && !rule.curves.includes(details?.namedCurve ?? ''))
    throw new EstRefusal(400, `EC keys must be on ${listed(rule.curves.map((curve) => CURVE_NAMES[curve] ?? curve))}`);
}
