import { type KeydClient, type KeyHandle, keydSigner } from '../clients/index.ts';
import type { IdentityIds } from '../est/index.ts';
import type { ClientCredential } from '../https/index.ts';
import { ClientError } from '../ipc/index.ts';
import type { Logger } from '../process/index.ts';
import { toSeconds, type Validity } from '../renewal/index.ts';
import { type Certificate, formatChain, parseChain, publicKeyOf } from '../x509/index.ts';
import type { CertificateStore } from './store.ts';

/** An identity as stored: its chain is readable and its key belongs to it. */
export interface Identity {
  readonly chain: readonly [Certificate, ...Certificate[]];
  readonly handle: KeyHandle;
}

/** What is stored of an identity. */
export type FoundIdentity =
  | { readonly kind: 'held'; readonly identity: Identity }
  | { readonly kind: 'absent' }
  /** Certificate or key is damaged, missing or of another: only a first enrolment can help. */
  | { readonly kind: 'unusable'; readonly reason: string };

/** What looking needs from outside. */
export interface FindContext {
  readonly keyd: KeydClient;
  readonly store: CertificateStore;
  readonly log: Logger;
}

/** Id of the key that takes the place of another once its certificate is stored (spec/renewal.md 4). */
export const tempKeyOf = (pk: string): string => `${pk}-temp`;

/** The credential that presents an identity with its whole chain. */
export const credentialOf = ({ chain, handle }: Identity): ClientCredential => ({
  keyHandle: handle,
  certificateChainPem: formatChain(chain),
});

/** Validity of a leaf in seconds. */
export const validityOf = ({ notBefore, notAfter }: Certificate): Validity => ({
  notBefore: toSeconds(notBefore),
  notAfter: toSeconds(notAfter),
});

/** Whether keyd said that there is no such key pair. */
export const isMissingKey = (error: unknown): boolean =>
  error instanceof ClientError && error.kind === 'refused' && error.status === 400;

const isRefused = (error: unknown): boolean =>
  error instanceof ClientError && error.kind === 'refused' && error.status !== 503;

/**
 * Looks at an identity, and finishes a rotation of its key that was cut off: a crash between certificate and key leaves the right key under
 * the temporary id. Rejects where keyd cannot say or the file cannot be read; nothing must be made anew then.
 */
export async function findIdentity({ cert, pk }: IdentityIds, context: FindContext): Promise<FoundIdentity> {
  const stored = await readStored(cert, context);
  if (stored.kind !== 'chain') return stored;
  const [leaf] = stored.chain;
  const own = await keyOfLeaf(pk, leaf, context.keyd);
  if (own.kind === 'fits') return { kind: 'held', identity: { chain: stored.chain, handle: own.handle } };
  const fresh = await keyOfLeaf(tempKeyOf(pk), leaf, context.keyd);
  if (fresh.kind === 'fits')
    return { kind: 'held', identity: { chain: stored.chain, handle: await finishRotation(pk, fresh.handle, context) } };
  const fault = own.kind === 'other' ? 'does not belong to' : 'is not there for';
  return {
    kind: 'unusable',
    reason: `key pair "${pk}" ${fault} EST identity "${cert}"; import the right one, or configure bootstrap`,
  };
}

async function finishRotation(pk: string, fresh: KeyHandle, { keyd, log }: FindContext): Promise<KeyHandle> {
  log.warn(`finishing the interrupted rotation of key pair "${pk}"`);
  try {
    await keyd.moveKeyPair(tempKeyOf(pk), pk);
  } catch (error) {
    if (!isRefused(error)) throw error;
    log.warn(`keyd does not move the new key to "${pk}", using it where it is: ${(error as Error).message}`);
    return fresh;
  }
  return keyd.loadKeyPair(pk);
}

async function readStored(
  cert: string,
  { store }: FindContext,
): Promise<Exclude<FoundIdentity, { kind: 'held' }> | { readonly kind: 'chain'; readonly chain: Identity['chain'] }> {
  const pem = await store.read(cert);
  if (pem === undefined) return { kind: 'absent' };
  try {
    const [leaf, ...rest] = parseChain(pem);
    if (leaf) return { kind: 'chain', chain: [leaf, ...rest] };
    return {
      kind: 'unusable',
      reason: `EST identity "${cert}" holds no certificate; import one, or configure bootstrap`,
    };
  } catch (error) {
    const text = `EST identity "${cert}" is damaged; import it again, or configure bootstrap: ${(error as Error).message}`;
    return { kind: 'unusable', reason: text };
  }
}

type KeyOfLeaf = { readonly kind: 'fits'; readonly handle: KeyHandle } | { readonly kind: 'other' | 'missing' };

/** Rejects where keyd did not say; a refusal counts as a key that is not there. */
async function keyOfLeaf(pk: string, leaf: Certificate, keyd: KeydClient): Promise<KeyOfLeaf> {
  try {
    const handle = await keyd.loadKeyPair(pk);
    const { publicKey } = await keydSigner(keyd, handle);
    return publicKeyOf(leaf)?.equals(publicKey) ? { kind: 'fits', handle } : { kind: 'other' };
  } catch (error) {
    if (isRefused(error) && (error as ClientError).status !== 500) return { kind: 'missing' };
    throw error;
  }
}
