import { createHash } from 'node:crypto';
import type { KeydClient } from '../clients/index.ts';
import type { EstClient } from '../est/index.ts';
import type { ProxySettings, TrustStore } from '../https/index.ts';
import { invalidParameter, ServiceError, type Uid } from '../ipc/index.ts';
import type { Clock, Logger } from '../process/index.ts';
import { type CertificateRequest, CsrError, parseChain, parseCsr } from '../x509/index.ts';
import { Enrolments } from './enrolments.ts';
import { issueByEst } from './est-issuer.ts';
import { issueByLocalCa, issueByRequest, issueSelfSigned } from './local-issuer.ts';
import { NamedLocks } from './locks.ts';
import { mayWrite } from './principals.ts';
import type { IssuanceEntry, Settings } from './settings.ts';
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
}

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
  readonly #identityLocks = new NamedLocks();

  constructor(state: ServiceState, parts: ServiceParts) {
    this.#state = state;
    this.#parts = parts;
    this.#enrolments = new Enrolments(parts.clock);
  }

  /** Puts a new configuration in force. */
  replace(state: ServiceState): void {
    this.#state = state;
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
    return pem;
  }

  close(): void {
    this.#enrolments.close();
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
    const context = { keyd: this.#parts.keyd, store, now: () => this.#parts.clock.now() };
    if (issuer) return issueByRequest(request, issuer, context);
    if (request.entry?.method === 'self_signed') return issueSelfSigned(request, context);
    return issueByLocalCa(request, settings.localCa, context);
  }

  #enrol(
    { settings, store, trust, proxy }: ServiceState,
    request: { certId: string; csr: CertificateRequest; entry: IssuanceEntry; signal: AbortSignal },
  ): Promise<string> {
    const digest = createHash('sha256').update(request.csr.der).digest('hex');
    const context = {
      ...this.#parts,
      store,
      trust,
      proxy,
      policy: settings.est.renewal,
      identityLocks: this.#identityLocks,
    };
    return this.#enrolments.join(request.certId, digest, request.signal, async (signal, onPostponed) => {
      const pem = await issueByEst({ ...request, signal, onPostponed }, settings.est, context);
      await store.write(request.certId, pem);
      return pem;
    });
  }
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
