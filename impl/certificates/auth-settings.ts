import type { EstAuth } from '../est/index.ts';

type Raw = Readonly<Record<string, unknown>>;

const PAIRS = [
  ['username', 'password'],
  ['identity_cert', 'identity_pk'],
  ['bootstrap_identity_cert', 'bootstrap_identity_pk'],
] as const;

function textOf(block: Raw, key: string, warn: (key: string, fault: string) => void): string | undefined {
  const value = block[key];
  if (value === undefined || typeof value === 'string') return value;
  warn(key, 'is not a string and has no effect');
  return undefined;
}

/**
 * Reads one authentication block. Half pairs, wrong types and a bootstrap pair without an identity pair count as absent and are warned about
 * by key (spec/certificates-service.md 7).
 */
export function readAuth(block: Raw, warn: (key: string, fault: string) => void): EstAuth {
  const [basic, identity, bootstrap] = PAIRS.map(([first, second]) => {
    const [a, b] = [textOf(block, first, warn), textOf(block, second, warn)];
    if (a !== undefined && b !== undefined) return [a, b] as const;
    if (a !== undefined) warn(first, `has no effect without ${second}`);
    if (b !== undefined) warn(second, `has no effect without ${first}`);
    return undefined;
  });
  if (bootstrap && !identity) warn('bootstrap_identity_cert', 'has no effect without identity_cert and identity_pk');
  return {
    basic: basic && { username: basic[0], password: basic[1] },
    identity: identity && { cert: identity[0], pk: identity[1] },
    bootstrap: bootstrap && identity && { cert: bootstrap[0], pk: bootstrap[1] },
  };
}

/** Lays the direct keys of `[cert_issuance.est]` over its sub-table `auth`; where both say something different, `clash` is told. */
export function uniteAuthKeys(direct: Raw, nested: Raw | undefined, clash: (key: string) => void): Raw {
  const united: Record<string, unknown> = {};
  for (const key of PAIRS.flat()) {
    const [own, inner] = [direct[key], nested?.[key]];
    if (own !== undefined && inner !== undefined && own !== inner) clash(key);
    if (own !== undefined || inner !== undefined) united[key] = own ?? inner;
  }
  return united;
}
