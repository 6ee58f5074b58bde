import { createHash } from 'node:crypto';
import type { KeydClient } from '../clients/index.ts';
import type { EstClient, IdentityIds } from '../est/index.ts';
import type { ProxySettings, TrustStore } from '../https/index.ts';
import { invalidParameter, ROOT, ServiceError, type Uid } from '../ipc/index.ts';
import type { Clock, Counters, CounterValue, Logger } from '../process/index.ts';
import type { Random, RenewalState } from '../renewal/index.ts';
import { type CertificateRequest, CsrError, fingerprint, parseChain, parseCsr } from '../x509/index.ts';
import { Enrolments } from './enrolments.ts';
import { issueByEst } from './est-issuer.ts';
import { IdentityKeeper, type KeeperContext } from './identity-keeper.ts';
import { identitySources } from './identity-sources.ts';
import { issueByLocalCa, issueByRequest, issueSelfSigned } from './local-issuer.ts';
import { mayWrite } from './principals.ts';
import type { IssuanceEntry, Settings } from './settings.ts';
import { SigningKeys } from './signing-key.ts';
import type { CertificateStore } from './store.ts';

/** Everything that a reload replaces, all at once. */
export interface ServiceState {
  readonly settings: Settings;
  readonly store: CertificateStore;
  readonly trust: TrustStore;
  readonly proxy: ProxySettings | undefined;
}

/** What stays as long as the daemon runs. */
export interface ServiceParts {
  readonly keyd: KeydClient;
  readonly est: EstClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: Random;
  readonly counters: Counters;
}

/** A managed EST identity with what is known about it. */
export type IdentityState = RenewalState & IdentityIds;

/** Body of `POST /certificates`. */
export interface CreateRequest {
  readonly certId: string;
  readonly csr: string;
  readonly issuer?: { readonly certId: string; readonly privateKeyHandle: string } | null;
}

/** The operations of certd (spec/certificates-service.md 3 to 6). Each works on the state that was in force when it began. */
export class CertificateService {
  #state: ServiceState;
  readonly #parts: ServiceParts;
  readonly #enrolments: Enrolments;
  readonly #identities: IdentityKeeper;
  readonly #keys: SigningKeys;

  constructor(state: ServiceState, parts: ServiceParts) {
    this.#state = state;
    this.#parts = parts;
    this.#enrolments = new Enrolments(parts.clock);
    this.#identities = new IdentityKeeper(parts);
    this.#keys = new SigningKeys(parts.keyd);
  }

  /** Begins to renew EST identities: those that are due at once, the others by timer. */
  start(): void {
    this.#manage();
    this.#identities.start();
  }

  /** Puts a new configuration in force. */
  replace(state: ServiceState): void {
    this.#state = state;
    this.#manage();
  }

  /** EST identities that a user may write, with what is planned for them, and all counters for root. */
  renewals(uid: Uid): { readonly identities: readonly IdentityState[]; readonly counters: readonly CounterValue[] } {
    const { principals } = this.#state.settings;
    return {
      identities: this.#identities.states().filter(({ cert }) => mayWrite(principals, uid, cert)),
      counters: uid === ROOT ? this.#parts.counters.values() : [],
    };
  }

  get state(): ServiceState {
    return this.#state;
  }

  /** PEM text of an id. Throws the 400 `not found`. */
  async get(certId: string): Promise<string> {
    this.#parts.log.debug(`reading certificate "${certId}"`);
    const pem = await this.#state.store.read(certId);
    if (pem === undefined) throw invalidParameter('id', 'not found');
    return pem;
  }

  /**
   * PEM text of an id as soon as its leaf is another than `not`, or as it is when the time is over. Throws the 400 `not found` when there is
   * none then.
   *
   * @param not lower-case hex SHA-256 of the leaf that the caller has; undefined: what is there now.
   */
  async awaitChange(
    certId: string,
    { not, waitMs }: { readonly not: string | undefined; readonly waitMs: number },
    signal: AbortSignal,
  ): Promise<string> {
    const { store } = this.#state;
    const known = not ?? digestOfLeaf(await store.read(certId));
    const read = () => this.#state.store.read(certId);
    const same = (pem: string | undefined) =>
      not === undefined || pem !== undefined ? digestOfLeaf(pem) === known : true;
    const pem = await store.changes.until({ read, same, waitMs }, this.#parts.clock, signal);
    if (pem === undefined) throw invalidParameter('id', 'not found');
    return pem;
  }

  /** Stores PEM text that holds at least one certificate and no damaged one. Throws 401, or the 400 of `pem`. */
  async put(uid: Uid, certId: string, pem: string): Promise<void> {
    this.#authorise(uid, certId);
    const { store } = this.#state;
    store.checkWritable(certId);
    checkPem(pem);
    await store.write(certId, pem);
  }

  /** Removes a certificate; one that is not there is fine. Throws 401. */
  async remove(uid: Uid, certId: string): Promise<void> {
    this.#authorise(uid, certId);
    await this.#state.store.remove(certId);
  }

  /** Issues and stores a certificate; answers its PEM, leaf first. Throws 401, the 400s of spec/certificates-service.md 4.1. */
  async create(uid: Uid, { certId, csr: csrPem, issuer }: CreateRequest, signal: AbortSignal): Promise<string> {
    this.#authorise(uid, certId);
    const state = this.#state;
    const entry = state.settings.issuance.get(certId);
    const csr = await readCsr(csrPem);
    if (!issuer && !entry)
      throw invalidParameter('issuer', `"${certId}" has no entry in cert_issuance; name an issuer`);
    state.store.checkWritable(certId);
    this.#parts.log.debug(`issuing certificate "${certId}" by ${issuer ? 'the issuer of the request' : entry?.method}`);
    if (!issuer && entry?.method === 'est') return this.#enrol(state, { certId, csr, entry, signal });
    const pem = await this.#sign(state, { certId, csr, entry }, issuer ?? undefined);
    await state.store.write(certId, pem);
    this.#parts.counters.add('certificates_issued', { method: issuer ? 'issuer' : (entry?.method ?? '') });
    return pem;
  }

  async close(): Promise<void> {
    this.#enrolments.close();
    await this.#identities.close();
  }

  #manage(): void {
    const { sources, warnings } = identitySources(this.#state.settings);
    for (const warning of warnings) this.#parts.log.warn(warning);
    this.#identities.manage(sources, this.#keeperContext(this.#state));
  }

  #keeperContext({ settings, store, trust, proxy }: ServiceState): KeeperContext {
    const { renewal, operation, csrAttributes } = settings.est;
    return { ...this.#parts, store, trust, proxy, policy: renewal, operation, csrAttributes };
  }

  #authorise(uid: Uid, certId: string): void {
    if (mayWrite(this.#state.settings.principals, uid, certId)) return;
    throw new ServiceError('cert-unauthorized', { parameters: { uid, id: certId } });
  }

  #sign(
    { settings, store }: ServiceState,
    request: { certId: string; csr: CertificateRequest; entry: IssuanceEntry | undefined },
    issuer: { certId: string; privateKeyHandle: string } | undefined,
  ): Promise<string> {
    const context = { keys: this.#keys, store, now: () => this.#parts.clock.now() };
    if (issuer) return issueByRequest(request, issuer, context);
    if (request.entry?.method === 'self_signed') return issueSelfSigned(request, context);
    return issueByLocalCa(request, settings.localCa, context);
  }

  #enrol(
    state: ServiceState,
    request: { certId: string; csr: CertificateRequest; entry: IssuanceEntry; signal: AbortSignal },
  ): Promise<string> {
    const digest = createHash('sha256').update(request.csr.der).digest('hex');
    const context = this.#keeperContext(state);
    return this.#enrolments.join(request.certId, digest, request.signal, async (signal, onPostponed) => {
      const pem = await issueByEst({ ...request, signal, onPostponed }, state.settings.est, this.#identities, context);
      await state.store.write(request.certId, pem);
      this.#parts.counters.add('certificates_issued', { method: 'est' });
      return pem;
    });
  }
}

/** Hex SHA-256 of the first certificate of a text, or of the text where that is no certificate; empty for nothing. */
function digestOfLeaf(pem: string | undefined): string {
  if (pem === undefined) return '';
  try {
    const [leaf] = parseChain(pem);
    if (leaf) return fingerprint(leaf);
  } catch {
    // not for this to judge
  }
  return createHash('sha256').update(pem).digest('hex');
}

async function readCsr(pem: string): Promise<CertificateRequest> {
  try {
    return await parseCsr(pem);
  } catch (error) {
    if (error instanceof CsrError) throw invalidParameter('csr', error.message);
    throw error;
  }
}

function checkPem(pem: string): void {
  let count: number;
  try {
    count = parseChain(pem).length;
  } catch (error) {
    throw invalidParameter('pem', `a certificate in it is damaged: ${(error as Error).message}`);
  }
  if (count === 0) throw invalidParameter('pem', 'it holds no PEM block "CERTIFICATE"');
}
