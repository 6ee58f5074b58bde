import { chooseAuth, chooseUrl, EstSettingsError, faultOfUrl } from '../est/index.ts';
import { type CertificateRequest, formatChain } from '../x509/index.ts';
import type { IdentityKeeper, IdentityRequest, KeeperContext } from './identity-keeper.ts';
import { subjectOf } from './local-issuer.ts';
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
 * Enrols a request as it is at the EST server that the configuration names for it (spec/est.md 1 to 3). Where the server refuses the
 * identity it is tried once more with a new one.
 *
 * @returns PEM, leaf first.
 * @throws EstSettingsError before any request when URL or authentication are missing or unusable; else what the enrolment throws.
 */
export async function issueByEst(
  { certId, csr, entry, signal, onPostponed }: EstRequest,
  settings: EstSettings,
  keeper: IdentityKeeper,
  context: KeeperContext,
): Promise<string> {
  const url = chooseUrl({ own: entry.url, table: settings.urls }, certId);
  const fault = faultOfUrl(url);
  if (fault) throw new EstSettingsError(`EST URL for "${certId}" ${fault}`);
  const { identity, bootstrap, basic } = chooseAuth(entry.auth, settings.auth, certId);
  const { trust, proxy } = context;
  const enrolment = { url, csr, basic, trust, proxy, signal, onPostponed };
  if (!identity) return formatChain(await context.est.enrol(enrolment));
  const firstSubject = () => subjectOf(entry.subject) ?? csr.subject;
  const request: IdentityRequest = { identity, bootstrap, basic, url, firstSubject, signal };
  const first = await keeper.obtain(request, context);
  try {
    return formatChain(await context.est.enrol({ ...enrolment, credential: first.credential }));
  } catch (error) {
    if (signal.aborted) throw error;
    const { credential } = await keeper.obtainAfter(error, first.fingerprint, request, context);
    return formatChain(await context.est.enrol({ ...enrolment, credential }));
  }
}
