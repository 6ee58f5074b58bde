import type { KeydClient, KeyHandle } from '../clients/index.ts';
import type { IdentityIds } from '../est/index.ts';
import { ClientError } from '../ipc/index.ts';
import { type Certificate, formatChain } from '../x509/index.ts';
import { type Identity, isMissingKey, tempKeyOf } from './identity-find.ts';
import type { CertificateStore } from './store.ts';

/** Enrols for the key behind a handle; leaf first. */
export type Enrol = (handle: KeyHandle) => Promise<Certificate[]>;

/** An enrolment of an identity, with where its key and certificate go. */
export interface IdentityJob {
  readonly identity: IdentityIds;
  /** What the certificate file held before, to put back; undefined: nothing. */
  readonly oldPem?: string | undefined;
  readonly enrol: Enrol;
  /** In keyd's words, as `ec-p256:rsa-4096:*`. */
  readonly algorithms: string;
  readonly keyd: KeydClient;
  readonly store: CertificateStore;
  /** Runs the steps that put certificate and key in place without anybody looking at them in between. */
  readonly commit: <T>(steps: () => Promise<T>) => Promise<T>;
}

/** Raised where keyd does not move the new key over the old one; the old identity is in place as it was. */
export class RotationRefused extends Error {
  override readonly name = 'RotationRefused';
}

async function deletePair(keyd: KeydClient, id: string): Promise<void> {
  let handle: KeyHandle;
  try {
    handle = await keyd.loadKeyPair(id);
  } catch (error) {
    if (isMissingKey(error)) return;
    throw error;
  }
  await keyd.deleteKeyPair(handle);
}

function notEmpty(chain: Certificate[]): [Certificate, ...Certificate[]] {
  const [leaf, ...rest] = chain;
  if (!leaf) throw new Error('enrolment brought no certificate');
  return [leaf, ...rest];
}

/**
 * Enrols for a new key under `<pk>-temp`, writes the certificate, then moves the key over the old one (spec/est.md 3, stricter). Until the
 * certificate is written, a failure or crash leaves the old pair; after it, the new one: what is missing then is finished by `findIdentity`.
 *
 * @throws RotationRefused when keyd says that it will not move the key: the old certificate is back then.
 */
export async function enrolIntoNewKey(job: IdentityJob): Promise<Identity> {
  const { identity, keyd } = job;
  const temp = tempKeyOf(identity.pk);
  await deletePair(keyd, temp);
  const handle = await keyd.createKeyPairIfNotExists(temp, job.algorithms);
  let chain: [Certificate, ...Certificate[]];
  try {
    chain = notEmpty(await job.enrol(handle));
  } catch (error) {
    await deletePair(keyd, temp).catch(() => undefined);
    throw error;
  }
  return job.commit(() => putInPlace(job, chain));
}

async function putInPlace(
  { identity, oldPem, keyd, store }: IdentityJob,
  chain: [Certificate, ...Certificate[]],
): Promise<Identity> {
  const temp = tempKeyOf(identity.pk);
  await store.write(identity.cert, formatChain(chain));
  try {
    await keyd.moveKeyPair(temp, identity.pk);
  } catch (error) {
    // no answer: it may have been moved, and the new certificate must stay
    if (!(error instanceof ClientError) || error.kind !== 'refused' || error.status === 503) throw error;
    await (oldPem === undefined ? store.remove(identity.cert) : store.write(identity.cert, oldPem));
    await deletePair(keyd, temp).catch(() => undefined);
    if (error.status !== 400) throw error;
    throw new RotationRefused(`keyd does not move key pair "${temp}" to "${identity.pk}"`, { cause: error });
  }
  return { chain, handle: await keyd.loadKeyPair(identity.pk) };
}

/** Enrols again for the key that is there. */
export async function enrolWithKey(
  handle: KeyHandle,
  { identity, enrol, store, commit }: Pick<IdentityJob, 'identity' | 'enrol' | 'store' | 'commit'>,
): Promise<Identity> {
  const chain = notEmpty(await enrol(handle));
  await commit(() => store.write(identity.cert, formatChain(chain)));
  return { chain, handle };
}

/**
 * Makes the key in its final place, deleting what is there: only where keyd cannot move a temporary key over it and no usable identity would
 * be lost (spec/est.md 3 step 4).
 */
export async function enrolWithoutTemp(job: IdentityJob): Promise<Identity> {
  const { keyd, identity } = job;
  await deletePair(keyd, identity.pk);
  return enrolWithKey(await keyd.createKeyPairIfNotExists(identity.pk, job.algorithms), job);
}
