import type { KeydClient, KeyHandle } from '../clients/index.ts';
import type { IdentityIds } from '../est/index.ts';
import { ClientError } from '../ipc/index.ts';
import { type Certificate, formatChain } from '../x509/index.ts';
import type { CertificateStore } from './store.ts';

/** An enrolment of an identity, with where its key and certificate go. */
export interface IdentityJob {
  readonly identity: IdentityIds;
  /** What the certificate file held before, to put back; undefined: nothing. */
  readonly oldPem?: string | undefined;
  /** Enrols for the key behind a handle; leaf first. */
  readonly enrol: (handle: KeyHandle) => Promise<Certificate[]>;
  readonly keyd: KeydClient;
  readonly store: CertificateStore;
}

/** A fresh identity. */
export interface MadeIdentity {
  readonly chain: [Certificate, ...Certificate[]];
  readonly handle: KeyHandle;
}

/** Preference for identity keys (spec/est.md 3). */
const ALGORITHMS = 'ec-p256:rsa-4096:*';

async function deletePair(keyd: KeydClient, id: string): Promise<void> {
  let handle: KeyHandle;
  try {
    handle = await keyd.loadKeyPair(id);
  } catch (error) {
    if (error instanceof ClientError && error.kind === 'refused' && error.status === 400) return;
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
 * Enrols for a new key under `<pk>-temp`, writes the certificate, then moves the key over the old one (spec/est.md 3, stricter). A failure
 * at any step leaves the old pair as it was; a crash between the last two steps is finished when the identity is next used.
 */
export async function enrolIntoNewKey({ identity, oldPem, enrol, keyd, store }: IdentityJob): Promise<MadeIdentity> {
  const temp = `${identity.pk}-temp`;
  await deletePair(keyd, temp);
  const handle = await keyd.createKeyPairIfNotExists(temp, ALGORITHMS);
  try {
    const chain = notEmpty(await enrol(handle));
    await store.write(identity.cert, formatChain(chain));
    try {
      await keyd.moveKeyPair(temp, identity.pk);
    } catch (error) {
      await (oldPem === undefined ? store.remove(identity.cert) : store.write(identity.cert, oldPem));
      throw error;
    }
    return { chain, handle: await keyd.loadKeyPair(identity.pk) };
  } catch (error) {
    await deletePair(keyd, temp).catch(() => undefined);
    throw error;
  }
}

/** Enrols again for the key that is there. */
export async function enrolWithKey(handle: KeyHandle, { identity, enrol, store }: IdentityJob): Promise<MadeIdentity> {
  const chain = notEmpty(await enrol(handle));
  await store.write(identity.cert, formatChain(chain));
  return { chain, handle };
}

/**
 * Makes the key in its final place, deleting what is there: only where keyd cannot move a temporary key over it and no usable identity would
 * be lost (spec/est.md 3 step 4).
 */
export async function enrolWithoutTemp(job: IdentityJob): Promise<MadeIdentity> {
  const { keyd, identity } = job;
  await deletePair(keyd, identity.pk);
  return enrolWithKey(await keyd.createKeyPairIfNotExists(identity.pk, ALGORITHMS), job);
}
