import { chooseAuth, chooseUrl, EstSettingsError, faultOfUrl } from '../est/index.ts';
import { type CertificateRequest, formatChain } from '../x509/index.ts';
import { type IdentityContext, obtainCredential } from './est-identity.ts';
import { subjectOf } from './local-issuer.ts';
import type { NamedLocks } from './locks.ts';
import type { EstSettings, IssuanceEntry } from './settings.ts';

/** A certificate that is to come from EST. */
export interface EstRequest {
  readonly certId: string;
  readonly csr: CertificateRequest;
  readonly entry: IssuanceEntry;
  readonly signal: AbortSignal;
  /** Told when the server puts the request off. */
  readonly onPostponed: () => void;
}

/**
 * Enrols a request as it is at the EST server that the configuration names for it (spec/est.md 1 to 3). Requests that use the same
 * identity take turns in obtaining it.
 *
 * @returns PEM, leaf first.
 * @throws EstSettingsError before any request when URL or authentication are missing or unusable; else what the enrolment throws.
 */
export async function issueByEst(
  { certId, csr, entry, signal, onPostponed }: EstRequest,
  settings: EstSettings,
  context: IdentityContext & { readonly identityLocks: NamedLocks },
): Promise<string> {
  const url = chooseUrl({ own: entry.url, table: settings.urls }, certId);
  const fault = faultOfUrl(url);
  if (fault) throw new EstSettingsError(`EST URL for "${certId}" ${fault}`);
  const { identity, bootstrap, basic } = chooseAuth(entry.auth, settings.auth, certId);
  const firstSubject = () => subjectOf(entry.subject) ?? csr.subject;
  const credential =
    identity &&
    (await context.identityLocks.run(`${identity.cert}\0${identity.pk}`, () =>
      obtainCredential({ identity, bootstrap, basic, url, firstSubject, signal }, context),
    ));
  const { trust, proxy } = context;
  return formatChain(await context.est.enrol({ url, csr, basic, credential, trust, proxy, signal, onPostponed }));
}
