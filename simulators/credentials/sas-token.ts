import { createHmac, timingSafeEqual } from 'node:crypto';
import { refused, type Verdict } from './verdict.ts';

/** A SAS token taken apart. `signedResource` is the text as it stands in the token, which is what was signed. */
export interface SasToken {
  signedResource: string;
  /** The same, percent-decoded. */
  resource: string;
  signature: Buffer;
  /** Seconds since 1970, as the token has it. */
  expiry: string;
  policy: string | undefined;
}

/** What a token must be for, and whose keys may have signed it. */
export interface SasExpectation {
  /** Any of these, compared without regard to case. */
  resources: readonly string[];
  /** Base64, in the order primary, secondary. */
  keys: readonly string[];
  /** `skn`: its only value, or none at all, or either. */
  policy: { value: string; presence: 'required' | 'optional' } | 'forbidden';
  /** Milliseconds since 1970. */
  now: number;
}

const SCHEME = 'SharedAccessSignature ';
const LONGEST_HEADER = 4096;
const LONGEST_LIFE_SECONDS = 366 * 24 * 3600;
const KEY_NAMES = ['primary key', 'secondary key'];

/** Takes an `Authorization` header apart; `undefined` when it is no SAS token with `sr`, `sig`, `se` once each. */
export function readSasToken(header: string): SasToken | undefined {
  if (!header.startsWith(SCHEME) || header.length > LONGEST_HEADER) return undefined;
  const fields = new Map<string, string>();
  for (const part of header.slice(SCHEME.length).trim().split('&')) {
    const separator = part.indexOf('=');
    const name = part.slice(0, separator);
    if (separator < 1 || fields.has(name)) return undefined;
    fields.set(name, part.slice(separator + 1));
  }
  const [sr, sig, se, skn] = ['sr', 'sig', 'se', 'skn'].map((name) => fields.get(name));
  if (sr === undefined || sig === undefined || se === undefined || !/^\d{1,12}$/.test(se)) return undefined;
  if (fields.size !== (skn === undefined ? 3 : 4)) return undefined;
  try {
    return {
      signedResource: sr,
      resource: decodeURIComponent(sr),
      signature: Buffer.from(decodeURIComponent(sig), 'base64'),
      expiry: se,
      policy: skn === undefined ? undefined : decodeURIComponent(skn),
    };
  } catch {
    return undefined;
  }
}

/**
 * Checks a token (spec cloud.md 9.5, 10.2): resource, policy name, life, and the signature over the resource *as it
 * stands in the token*, compared in constant time with that of each key.
 */
export function checkSasToken(header: string | undefined, expected: SasExpectation): Verdict {
  if (header === undefined) return refused('no token');
  const token = readSasToken(header);
  if (!token) return refused('the token is malformed');
  if (!expected.resources.some((resource) => resource.toLowerCase() === token.resource.toLowerCase())) {
    return refused(`the token is for '${token.resource}'`);
  }
  const wrongPolicy = policyFault(token.policy, expected.policy);
  if (wrongPolicy) return refused(wrongPolicy);
  const secondsLeft = Number(token.expiry) - expected.now / 1000;
  if (secondsLeft <= 0) return refused('the token has expired');
  if (secondsLeft > LONGEST_LIFE_SECONDS) return refused('the token lives longer than a year');

  const matches = expected.keys.map((key) => isSignature(token, key));
  const index = matches.indexOf(true);
  return index < 0 ? refused('the signature is wrong') : { verified: true, by: KEY_NAMES[index] ?? 'key' };
}

function policyFault(policy: string | undefined, expected: SasExpectation['policy']): string | undefined {
  if (expected === 'forbidden') return policy === undefined ? undefined : 'the token names a policy';
  if (policy === undefined) return expected.presence === 'required' ? 'the token names no policy' : undefined;
  return policy === expected.value ? undefined : `the token names the policy '${policy}'`;
}

function isSignature({ signedResource, expiry, signature }: SasToken, key: string): boolean {
  const expected = createHmac('sha256', Buffer.from(key, 'base64')).update(`${signedResource}\n${expiry}`).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}
