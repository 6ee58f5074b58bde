import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { keydSigner } from '../clients/index.ts';
import { removeFileDurable, writeFileDurable } from '../files/index.ts';
import { ClientError, internalError } from '../ipc/index.ts';
import { type Clock, causeChain } from '../process/index.ts';
import {
  isDue,
  parsePolicy,
  type RenewalPolicy,
  retryPeriod,
  scheduleOf,
  toSeconds,
  type Validity,
} from '../renewal/index.ts';
import { type Certificate, createCsr, fingerprint, isExpired, parseChain, publicKeyOf } from '../x509/index.ts';
import type { DeviceCredential } from './device.ts';
import { type CredentialServices, NEW_KEY_ALGORITHMS } from './device-certificate.ts';
import type { AutoRenew } from './settings.ts';

/** A device credential that can be renewed. */
export type X509Credential = Extract<DeviceCredential, { kind: 'x509' }>;

/** A new credential that is not yet the device's: DPS has to take it first. */
export interface IssuedCredential {
  readonly credential: X509Credential;
  /** Puts it in the place of the old one; answers what to use from now on. Never throws: what is left over is finished later. */
  commit(): Promise<X509Credential>;
}

/** Renewal of the device certificate (spec/identity-service.md 5.5, renewal.md 6). */
export interface DeviceRenewal {
  /** Whether the certificate is to be renewed now. */
  isDue(credential: X509Credential, autoRenew: AutoRenew): boolean;
  /** When to try next, Unix milliseconds; a time that has passed means one retry period from now. */
  nextAt(credential: X509Credential, autoRenew: AutoRenew): number;
  /** Makes key and certificate under temporary ids. Throws the 500; the credential in use is untouched. */
  issue(credential: X509Credential, autoRenew: AutoRenew): Promise<IssuedCredential>;
  /** Finishes a renewal that was cut off after DPS had taken the new certificate. Throws where that fails. */
  finishPending(): Promise<void>;
  /** Whether the leaf is past its end. */
  isExpired(credential: X509Credential): boolean;
}

const journalShape = Compile(
  Type.Object({
    certId: Type.String(),
    keyPairId: Type.String(),
    chain: Type.String(),
    rotated: Type.Boolean(),
  }),
);

interface Journal {
  readonly certId: string;
  readonly keyPairId: string;
  readonly chain: string;
  readonly rotated: boolean;
}

function leafOf(chain: string): Certificate {
  const [leaf] = parseChain(chain);
  if (!leaf) throw new Error('the certificate chain is empty');
  return leaf;
}

function validityOf(chain: string): Validity {
  const { notBefore, notAfter } = leafOf(chain);
  return { notBefore: toSeconds(notBefore), notAfter: toSeconds(notAfter) };
}

function policyOf({ rotateKey, threshold, retry }: AutoRenew): RenewalPolicy {
  return { rotateKey, threshold: parsePolicy(threshold), retry: parsePolicy(retry) };
}

/** Whether two chains begin with the same certificate. */
export const sameLeaf = (a: string, b: string): boolean => fingerprint(leafOf(a)) === fingerprint(leafOf(b));

const isMissing = (error: unknown): boolean =>
  error instanceof ClientError && error.kind === 'refused' && error.status === 400;

/** Makes the renewal of the device whose state is in `homedir`. */
export function createDeviceRenewal(services: CredentialServices, homedir: string, clock: Clock): DeviceRenewal {
  const { keyd, certd, log } = services;
  const journalFile = join(homedir, 'renewal_journal');
  const tempOf = (id: string) => `${id}-temp`;

  async function readJournal(): Promise<Journal | undefined> {
    const text = await readFile(journalFile, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return undefined;
    const value: unknown = JSON.parse(text);
    if (!journalShape.Check(value)) throw new Error(`${journalFile} does not hold what it should`);
    return value;
  }

  async function moveKey(keyPairId: string): Promise<void> {
    try {
      await keyd.loadKeyPair(tempOf(keyPairId));
    } catch (error) {
      // It was moved before the cut.
      if (isMissing(error)) return;
      throw error;
    }
    await keyd.moveKeyPair(tempOf(keyPairId), keyPairId);
  }

  async function finishPending(): Promise<void> {
    const journal = await readJournal();
    if (!journal) return;
    await certd.import(journal.certId, journal.chain);
    if (journal.rotated) await moveKey(journal.keyPairId);
    await removeFileDurable(journalFile);
    log.info(`Certificate ${journal.certId} was renewed.`);
  }

  async function newKey(keyPairId: string, rotate: boolean): Promise<string> {
    if (!rotate) return keyPairId;
    const temp = tempOf(keyPairId);
    try {
      await keyd.deleteKeyPair(await keyd.loadKeyPair(temp));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    await keyd.createKeyPairIfNotExists(temp, NEW_KEY_ALGORITHMS);
    return temp;
  }

  async function newChain(credential: X509Credential, keyPairId: string): Promise<string> {
    const signer = await keydSigner(keyd, await keyd.loadKeyPair(keyPairId));
    const csr = await createCsr({ subject: leafOf(credential.chain).subject, signer });
    const temp = tempOf(credential.certId);
    const chain = await certd.create(temp, csr);
    await certd
      .delete(temp)
      .catch((error) => log.warn(`could not delete certificate ${temp}: ${causeChain(error)[0]}`));
    const leaf = leafOf(chain);
    if (isExpired(leaf, clock.now())) throw new Error('certd issued a certificate that has expired');
    if (!publicKeyOf(leaf)?.equals(signer.publicKey)) throw new Error('certd issued a certificate for another key');
    return chain;
  }

  async function commit(issued: X509Credential, journal: Journal): Promise<X509Credential> {
    try {
      await writeFileDurable(journalFile, `${JSON.stringify(journal)}\n`);
      await finishPending();
      return { ...issued, keyPairId: journal.keyPairId };
    } catch (error) {
      log.warn(`Renewal of ${journal.certId} is not finished, it is tried again: ${causeChain(error).join(': ')}`);
      return issued;
    }
  }

  return {
    isDue: ({ chain }, autoRenew) => isDue(validityOf(chain), policyOf(autoRenew).threshold, toSeconds(clock.now())),
    nextAt({ chain, keyPairId, certId }, autoRenew) {
      const now = toSeconds(clock.now());
      const validity = validityOf(chain);
      const policy = policyOf(autoRenew);
      const over = validity.notBefore >= validity.notAfter || now >= validity.notAfter;
      const next =
        over || keyPairId.endsWith('-temp')
          ? now + retryPeriod(validity, policy.retry)
          : scheduleOf(validity, policy, now).next;
      log.info(
        `Certificate ${certId} will be auto-renewed. Next renewal at ${new Date(next * 1000).toISOString().slice(0, 19)}+00:00.`,
      );
      return next * 1000;
    },
    async issue(credential, autoRenew) {
      log.info(`Attempting to renew certificate ${credential.certId}.`);
      try {
        const keyPairId = await newKey(credential.keyPairId, autoRenew.rotateKey);
        const chain = await newChain(credential, keyPairId);
        const issued = { ...credential, keyPairId, chain };
        const journal = {
          certId: credential.certId,
          keyPairId: credential.keyPairId,
          chain,
          rotated: autoRenew.rotateKey,
        };
        return { credential: issued, commit: () => commit(issued, journal) };
      } catch (error) {
        log.warn(`Tried to renew ${credential.certId}, but failed to create new cert.`);
        throw internalError(error);
      }
    },
    finishPending,
    isExpired: ({ chain }) => isExpired(leafOf(chain), clock.now()),
  };
}
