import { chooseUrl, EstSettingsError, faultOfUrl, type IdentityIds, isUsableAuth } from '../est/index.ts';
import type { IdentitySource } from './est-identity.ts';
import { identityName } from './identity-keeper.ts';
import type { Settings } from './settings.ts';

/** The EST identities that a configuration names, each once. */
export interface IdentitySources {
  readonly sources: readonly IdentitySource[];
  /** Identities whose server is not known before somebody uses them. */
  readonly warnings: readonly string[];
}

/**
 * Lists the identities to keep valid (spec/renewal.md 4): that of each EST certificate with its own authentication, at that certificate's URL;
 * then the global one, at the URL of its own certificate id. Of the same pair the certificate's own counts.
 */
export function identitySources({ issuance, est }: Pick<Settings, 'issuance' | 'est'>): IdentitySources {
  const sources = new Map<string, IdentitySource>();
  const warnings: string[] = [];
  const add = (identity: IdentityIds, rest: Omit<IdentitySource, 'identity' | 'url'>, url: () => string) => {
    const name = identityName(identity);
    if (sources.has(name)) return;
    try {
      const chosen = url();
      const fault = faultOfUrl(chosen);
      if (fault) throw new EstSettingsError(`EST URL ${fault}`);
      sources.set(name, { identity, ...rest, url: chosen });
    } catch (error) {
      if (!(error instanceof EstSettingsError)) throw error;
      warnings.push(`EST identity "${name}" is renewed only once it has been used: ${error.message}`);
    }
  };
  for (const [certId, { method, auth, url: own }] of issuance) {
    const { identity, bootstrap, basic } = auth;
    if (method !== 'est' || !identity) continue;
    add(identity, { bootstrap, basic }, () => chooseUrl({ own, table: est.urls }, certId));
  }
  const { identity, bootstrap, basic } = isUsableAuth(est.auth) ? est.auth : {};
  if (identity) {
    const own = issuance.get(identity.cert)?.url;
    add(identity, { bootstrap, basic }, () => chooseUrl({ own, table: est.urls }, identity.cert));
  }
  return { sources: [...sources.values()], warnings };
}
