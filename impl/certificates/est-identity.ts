import { type KeyHandle, keydSigner } from '../clients/index.ts';
import { type BasicAuth, type EstClient, EstError, type IdentityIds, NO_ATTRIBUTES } from '../est/index.ts';
import { type ClientCredential, HttpsError, type ProxySettings, type TrustStore } from '../https/index.ts';
import { ClientError } from '../ipc/index.ts';
import { type Clock, causeChain } from '../process/index.ts';
import type { RenewalPolicy } from '../renewal/index.ts';
import {
  type Certificate,
  CLIENT_AUTH,
  createCsr,
  extendedKeyUsage,
  formatChain,
  isExpired,
  parseChain,
  parseCsr,
  type WantedExtension,
} from '../x509/index.ts';
import { type FindContext, type Identity, tempKeyOf } from './identity-find.ts';
import {
  type Enrol,
  enrolIntoNewKey,
  enrolWithKey,
  enrolWithoutTemp,
  type IdentityJob,
  RotationRefused,
} from './identity-key.ts';

/** Raised when no credential for EST can be had; the message names the identity and what to do. */
export class IdentityError extends Error {
  override readonly name = 'IdentityError';
}

/** An identity with the server that issues it: fixed when it is taken under management (spec/renewal.md 4). */
export interface IdentitySource {
  readonly identity: IdentityIds;
  readonly bootstrap: IdentityIds | undefined;
  readonly basic: BasicAuth | undefined;
  /** Base URL of the EST server. */
  readonly url: string;
}

/** What enrolling an identity needs from outside. */
export interface IdentityContext extends FindContext {
  readonly est: EstClient;
  readonly clock: Clock;
  readonly trust: TrustStore;
  readonly proxy: ProxySettings | undefined;
  readonly policy: RenewalPolicy;
  /** How a renewal is asked for; a first enrolment is always simpleenroll. */
  readonly operation: 'simpleenroll' | 'simplereenroll';
  /** Whether the server is asked what it wants to see in a request. */
  readonly csrAttributes: 'ask' | 'ignore';
  /** Key pairs over which keyd does not move another: their key stays. */
  readonly fixedKeys: Set<string>;
  /** Runs steps that put certificate and key in place; see {@link IdentityJob}. */
  readonly commit: IdentityJob['commit'];
}

/** Preference for identity keys (spec/est.md 3). */
const ALGORITHMS = 'ec-p256:rsa-4096:*';
const EXTENDED_KEY_USAGE = '2.5.29.37';

/**
 * Whether the server does not know the one who asks: 401, an alert about the client certificate, or a connection that it closes as soon as it
 * has seen that certificate, as servers do that send no alert.
 */
export function isRefusal(error: unknown): boolean {
  if (error instanceof EstError) return error.status === 401;
  if (!(error instanceof HttpsError)) return false;
  if (error.kind === 'client-credential' || error.kind === 'closed') return true;
  return error.kind === 'not-connected' && /secure TLS connection|ECONNRESET/.test(causeChain(error).join());
}

/**
 * Renews an identity under its policy: a new key, or the same one; the subject stays. It authenticates with the old leaf alone, or with the
 * bootstrap credential when that has expired or the server refuses it (spec/renewal.md 4).
 *
 * @throws IdentityError, or whatever enrolment, keyd and store reject with; the old identity is then in place and usable.
 */
export async function renewIdentity(
  source: IdentitySource,
  old: Identity,
  signal: AbortSignal,
  context: IdentityContext,
): Promise<Identity> {
  const [leaf] = old.chain;
  if (isExpired(leaf, context.clock.now())) {
    context.log.warn(`EST identity "${source.identity.cert}" expired ${new Date(leaf.notAfter).toISOString()}`);
    return replace(source, old, 'bootstrap', signal, context);
  }
  try {
    return await replace(source, old, 'identity', signal, context);
  } catch (error) {
    if (!source.bootstrap || !isRefusal(error)) throw error;
    const why = (error as Error).message;
    context.log.warn(`EST identity "${source.identity.cert}" was refused, using the bootstrap credential: ${why}`);
    return replace(source, old, 'bootstrap', signal, context);
  }
}

async function replace(
  source: IdentitySource,
  old: Identity,
  by: 'identity' | 'bootstrap',
  signal: AbortSignal,
  context: IdentityContext,
): Promise<Identity> {
  const { identity } = source;
  const credential =
    by === 'identity'
      ? { keyHandle: old.handle, certificateChainPem: formatChain([old.chain[0]]) }
      : await bootstrapCredential(source, context);
  const operation = by === 'identity' ? context.operation : 'simpleenroll';
  const { enrol, algorithms } = await enroller(
    source,
    { credential, operation, signal },
    old.chain[0].subject,
    context,
  );
  const rotates = context.policy.rotateKey && !context.fixedKeys.has(identity.pk);
  if (!rotates) return enrolWithKey(old.handle, { identity, enrol, ...context });
  try {
    return await enrolIntoNewKey({ identity, oldPem: formatChain(old.chain), enrol, algorithms, ...context });
  } catch (error) {
    if (!(error instanceof RotationRefused)) throw error;
    context.fixedKeys.add(identity.pk);
    context.log.warn(`${error.message}; renewing with the key that is there until certd is started again`);
    return enrolWithKey(old.handle, { identity, enrol, ...context });
  }
}

/**
 * Makes an identity with the bootstrap credential: under a temporary key where keyd allows it, so that what is there stays until the server
 * has issued (spec/est.md 3).
 *
 * @param firstSubject DER of the subject.
 * @throws IdentityError without a bootstrap credential; whatever enrolment, keyd and store reject with.
 */
export async function bootstrapIdentity(
  source: IdentitySource,
  firstSubject: Uint8Array,
  signal: AbortSignal,
  context: IdentityContext,
): Promise<Identity> {
  const { identity } = source;
  const credential = await bootstrapCredential(source, context);
  const access = { credential, operation: 'simpleenroll', signal } as const;
  const { enrol, algorithms } = await enroller(source, access, firstSubject, context);
  const oldPem = await context.store.read(identity.cert).catch(() => undefined);
  const job: IdentityJob = { identity, oldPem, enrol, algorithms, ...context };
  try {
    return await enrolIntoNewKey(job);
  } catch (error) {
    const noTemp = error instanceof ClientError && error.kind === 'refused' && error.status !== 503;
    if (!noTemp && !(error instanceof RotationRefused)) throw error;
    context.log.warn(
      `keyd refused to use "${tempKeyOf(identity.pk)}": ${error.message}; making "${identity.pk}" anew in its place`,
    );
    return enrolWithoutTemp(job);
  }
}

async function bootstrapCredential(
  { identity, bootstrap }: IdentitySource,
  { store, keyd }: IdentityContext,
): Promise<ClientCredential> {
  if (!bootstrap) {
    throw new IdentityError(
      `EST identity "${identity.cert}" could not be obtained and bootstrap is not configured; set bootstrap_identity_cert and bootstrap_identity_pk`,
    );
  }
  const pem = await store.read(bootstrap.cert);
  const chain = pem === undefined ? [] : parseChain(pem);
  if (chain.length === 0)
    throw new IdentityError(`bootstrap certificate "${bootstrap.cert}" is not there; preload or import it`);
  return { keyHandle: await keyd.loadKeyPair(bootstrap.pk), certificateChainPem: formatChain(chain) };
}

interface Access {
  readonly credential: ClientCredential;
  readonly operation: 'simpleenroll' | 'simplereenroll';
  readonly signal: AbortSignal;
}

/** What signs a client certificate request for the subject with a key of keyd and enrols it, and the kind of key that the server wants. */
async function enroller(
  { url, basic }: IdentitySource,
  { credential, operation, signal }: Access,
  subject: Uint8Array,
  context: IdentityContext,
): Promise<{ readonly enrol: Enrol; readonly algorithms: string }> {
  const { trust, proxy } = context;
  const access = { url, basic, credential, trust, proxy, signal };
  const wishes = context.csrAttributes === 'ask' ? await context.est.csrAttributes(access) : NO_ATTRIBUTES;
  for (const name of wishes.unknown) context.log.warn(`EST server wants attribute ${name}, which is left out`);
  const extensions = extensionsFor(wishes.extensions);
  return {
    algorithms: [...wishes.keyAlgorithms, ALGORITHMS].join(':'),
    async enrol(handle: KeyHandle): Promise<Certificate[]> {
      const signer = await keydSigner(context.keyd, handle);
      const csr = await parseCsr(await createCsr({ subject, extensions, signer }));
      return context.est.enrol({ ...access, csr, operation });
    },
  };
}

/** Client authentication is always asked for, beside whatever else the server wants. */
function extensionsFor(wanted: readonly WantedExtension[]): WantedExtension[] {
  const clientAuth = extendedKeyUsage(CLIENT_AUTH);
  const purpose = wanted.find(({ oid }) => oid === EXTENDED_KEY_USAGE);
  const inner = Buffer.from(clientAuth.value).subarray(2);
  const covers = purpose !== undefined && Buffer.from(purpose.value).includes(inner);
  return [covers ? purpose : clientAuth, ...wanted.filter(({ oid }) => oid !== EXTENDED_KEY_USAGE)];
}
