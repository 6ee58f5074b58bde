import { type KeydClient, type KeyHandle, keydSigner } from '../clients/index.ts';
import type { BasicAuth, EstClient, IdentityIds } from '../est/index.ts';
import type { ClientCredential, ProxySettings, TrustStore } from '../https/index.ts';
import { ClientError } from '../ipc/index.ts';
import type { Clock, Logger } from '../process/index.ts';
import { isDue, type RenewalPolicy, toSeconds } from '../renewal/index.ts';
import {
  type Certificate,
  CLIENT_AUTH,
  createCsr,
  extendedKeyUsage,
  formatChain,
  isExpired,
  parseChain,
  parseCsr,
} from '../x509/index.ts';
import { enrolIntoNewKey, enrolWithKey, enrolWithoutTemp } from './identity-key.ts';
import type { CertificateStore } from './store.ts';

/** Raised when no credential for EST can be had; the message names the identity and what to do. */
class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/** What obtaining an identity needs from outside. */
export interface IdentityContext {
  readonly keyd: KeydClient;
  readonly store: CertificateStore;
  readonly est: EstClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly trust: TrustStore;
  readonly proxy: ProxySettings | undefined;
  readonly policy: RenewalPolicy;
}

/** The identity that a request wants to present. */
export interface IdentityRequest {
  readonly identity: IdentityIds;
  readonly bootstrap: IdentityIds | undefined;
  readonly basic: BasicAuth | undefined;
  /** Base URL of the certificate that is asked for: the identity is enrolled there too. */
  readonly url: string;
  /** DER of the subject of a first identity; called only when one is made. */
  readonly firstSubject: () => Uint8Array;
  readonly signal: AbortSignal;
}

/** An identity as found: its chain is readable and its key belongs to it. */
interface Identity {
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly handle: KeyHandle;
}

/** A renewal on the way to a request must leave that request its time. */
const RENEWAL_ON_USE_LIMIT_MS = 10_000;

/**
 * The credential for a TLS client: the identity when it has not expired, renewed first when it is due; else one made with the bootstrap
 * credential (spec/est.md 3). A due identity that cannot be renewed is used as it is.
 *
 * @throws IdentityError when the key is not that of the certificate, or there is no identity and no bootstrap credential; whatever the
 *   enrolment throws.
 */
export async function obtainCredential(request: IdentityRequest, context: IdentityContext): Promise<ClientCredential> {
  const found = await findIdentity(request.identity, context);
  const now = context.clock.now();
  if (!found) return bootstrap(request, context);
  if (isExpired(found.chain[0], now)) {
    context.log.warn(
      `EST identity "${request.identity.cert}" expired ${new Date(found.chain[0].notAfter).toISOString()}`,
    );
    return replace(request, await bootstrapCredential(request, context), found, context);
  }
  if (!isDue(validityOf(found.chain[0]), context.policy.threshold, toSeconds(now))) return credentialOf(found);
  return renewOnUse(request, found, context);
}

const credentialOf = ({ chain, handle }: Identity): ClientCredential => ({
  keyHandle: handle,
  certificateChainPem: formatChain(chain),
});

const validityOf = (leaf: Certificate) => ({
  notBefore: toSeconds(leaf.notBefore),
  notAfter: toSeconds(leaf.notAfter),
});

async function renewOnUse(
  request: IdentityRequest,
  found: Identity,
  context: IdentityContext,
): Promise<ClientCredential> {
  const limit = AbortSignal.timeout(RENEWAL_ON_USE_LIMIT_MS);
  const bounded = { ...request, signal: AbortSignal.any([request.signal, limit]) };
  // a renewal presents the old leaf alone, ordinary use the whole chain (spec/renewal.md 4)
  const auth = { keyHandle: found.handle, certificateChainPem: formatChain([found.chain[0]]) };
  try {
    return await replace(bounded, auth, found, context);
  } catch (error) {
    if (request.signal.aborted) throw request.signal.reason;
    const why = error instanceof Error ? error.message : String(error);
    context.log.warn(`could not renew EST identity "${request.identity.cert}", using the one at hand: ${why}`);
    // a failed move may have left other handles: look again
    return credentialOf((await findIdentity(request.identity, context)) ?? found);
  }
}

/** Renews under the policy: a new key, or the same one. The subject stays. */
async function replace(
  request: IdentityRequest,
  auth: ClientCredential,
  old: Identity,
  context: IdentityContext,
): Promise<ClientCredential> {
  const enrol = enroller(request, auth, old.chain[0].subject, context);
  const oldPem = formatChain(old.chain);
  const { identity } = request;
  const made = context.policy.rotateKey
    ? await enrolIntoNewKey({ identity, oldPem, enrol, ...context })
    : await enrolWithKey(old.handle, { identity, enrol, ...context });
  context.log.info(`renewed EST identity "${identity.cert}"`);
  return credentialOf(made);
}

async function bootstrap(request: IdentityRequest, context: IdentityContext): Promise<ClientCredential> {
  const auth = await bootstrapCredential(request, context);
  const enrol = enroller(request, auth, request.firstSubject(), context);
  const { identity } = request;
  const oldPem = await context.store.read(identity.cert).catch(() => undefined);
  const job = { identity, oldPem, enrol, ...context };
  try {
    return credentialOf(await enrolIntoNewKey(job));
  } catch (error) {
    if (!(error instanceof ClientError) || error.kind !== 'refused') throw error;
    context.log.warn(`keyd refused to rotate "${identity.pk}": ${error.message}; making the key anew in its place`);
    return credentialOf(await enrolWithoutTemp(job));
  }
}

async function bootstrapCredential(
  { identity, bootstrap }: IdentityRequest,
  context: IdentityContext,
): Promise<ClientCredential> {
  if (!bootstrap) {
    throw new IdentityError(
      `EST identity "${identity.cert}" could not be obtained and bootstrap is not configured; set bootstrap_identity_cert and bootstrap_identity_pk`,
    );
  }
  const pem = await context.store.read(bootstrap.cert);
  const chain = pem === undefined ? [] : parseChain(pem);
  if (chain.length === 0)
    throw new IdentityError(`bootstrap certificate "${bootstrap.cert}" is not there; preload or import it`);
  return { keyHandle: await context.keyd.loadKeyPair(bootstrap.pk), certificateChainPem: formatChain(chain) };
}

/** Signs a client certificate request for the subject with a key of keyd and enrols it. */
function enroller(
  request: IdentityRequest,
  credential: ClientCredential,
  subject: Uint8Array,
  context: IdentityContext,
) {
  const { url, basic, signal } = request;
  const { trust, proxy } = context;
  return async (handle: KeyHandle): Promise<Certificate[]> => {
    const signer = await keydSigner(context.keyd, handle);
    const csr = await parseCsr(await createCsr({ subject, extensions: [extendedKeyUsage(CLIENT_AUTH)], signer }));
    return context.est.enrol({ url, csr, basic, credential, trust, proxy, signal });
  };
}

async function findIdentity({ cert, pk }: IdentityIds, context: IdentityContext): Promise<Identity | undefined> {
  const [leaf, ...rest] = await readChain(cert, context);
  if (!leaf) return undefined;
  const handle = await keyOfLeaf(pk, leaf, context.keyd);
  if (handle !== undefined && handle !== 'other-key') return { chain: [leaf, ...rest], handle };
  // a crash between writing the certificate and moving the key leaves the right key under the temporary id
  const fresh = await keyOfLeaf(`${pk}-temp`, leaf, context.keyd).catch(() => undefined);
  if (fresh === undefined || fresh === 'other-key') {
    if (handle === undefined) return undefined;
    throw new IdentityError(
      `key pair "${pk}" does not belong to EST identity "${cert}"; remove that certificate to bootstrap anew`,
    );
  }
  context.log.warn(`finishing the interrupted rotation of key pair "${pk}"`);
  await context.keyd.moveKeyPair(`${pk}-temp`, pk);
  return { chain: [leaf, ...rest], handle: await context.keyd.loadKeyPair(pk) };
}

async function readChain(cert: string, { store, log }: IdentityContext): Promise<Certificate[]> {
  const pem = await store.read(cert);
  try {
    return pem === undefined ? [] : parseChain(pem);
  } catch (error) {
    log.warn(`EST identity "${cert}" is damaged: ${(error as Error).message}`);
    return [];
  }
}

async function keyOfLeaf(
  pk: string,
  leaf: Certificate,
  keyd: KeydClient,
): Promise<KeyHandle | 'other-key' | undefined> {
  try {
    const handle = await keyd.loadKeyPair(pk);
    const { publicKey } = await keydSigner(keyd, handle);
    return publicKey.equals(leaf.x509.publicKey) ? handle : 'other-key';
  } catch (error) {
    if (error instanceof ClientError && error.kind === 'refused' && error.status === 400) return undefined;
    throw error;
  }
}
