import { type CertdClient, isAbsent, type KeydClient, keydSigner } from '../clients/index.ts';
import { ClientError, internalError } from '../ipc/index.ts';
import type { Logger } from '../process/index.ts';
import { type Certificate, createCsr, type NameEntries, parseChain } from '../x509/index.ts';

/** The services that keep the device's key and certificate. */
export interface CredentialServices {
  readonly keyd: KeydClient;
  readonly certd: CertdClient;
  readonly log: Logger;
}

/** Which key pair and certificate; `subject` is undefined where no name is known for a new certificate. */
export interface WantedCertificate {
  readonly certId: string;
  readonly keyPairId: string;
  readonly subject: NameEntries | undefined;
}

/** Preference for new device keys. */
export const NEW_KEY_ALGORITHMS = 'rsa-2048:*';

function readChain(pem: string, certId: string): string {
  if (parseChain(pem).length === 0) throw new Error(`certificate "${certId}" holds no certificate`);
  return pem;
}

async function storedChain(certd: CertdClient, certId: string): Promise<string | undefined> {
  try {
    return await certd.get(certId);
  } catch (error) {
    // Only certd's own word that there is none counts: an outage or a refusal must not cost the device its key.
    if (isAbsent(error)) return undefined;
    throw new Error(`could not read certificate "${certId}"; the device key is kept`, { cause: error });
  }
}

async function removeOldKey({ keyd, log }: CredentialServices, keyPairId: string): Promise<void> {
  try {
    await keyd.deleteKeyPair(await keyd.loadKeyPair(keyPairId));
    log.info(`Key pair "${keyPairId}" has no certificate and is replaced.`);
  } catch (error) {
    if (!(error instanceof ClientError && error.kind === 'refused' && error.status === 400)) throw error;
  }
}

async function issue(services: CredentialServices, wanted: WantedCertificate, subject: NameEntries): Promise<string> {
  const { keyd, certd } = services;
  await removeOldKey(services, wanted.keyPairId);
  const handle = await keyd.createKeyPairIfNotExists(wanted.keyPairId, NEW_KEY_ALGORITHMS);
  const csr = await createCsr({ subject, signer: await keydSigner(keyd, handle) });
  return readChain(await certd.create(wanted.certId, csr), wanted.certId);
}

/**
 * The chain of the device certificate, PEM, leaf first (spec/identity-service.md 5.4): the stored one as it is, even expired, with
 * its key; or, where certd says that there is none, a new one with a new key. Throws the 500 of an internal error.
 */
export async function obtainDeviceCertificate(
  services: CredentialServices,
  wanted: WantedCertificate,
): Promise<string> {
  try {
    const stored = await storedChain(services.certd, wanted.certId);
    if (stored !== undefined) {
      await services.keyd.loadKeyPair(wanted.keyPairId);
      return readChain(stored, wanted.certId);
    }
    if (wanted.subject === undefined) {
      throw new Error('identity cert does not exist; cannot create new cert as registration ID is unknown');
    }
    return await issue(services, wanted, wanted.subject);
  } catch (error) {
    throw internalError(error);
  }
}

/** CN of the first certificate of a chain. Throws where there is none. */
export function commonNameOfChain(chain: string): string {
  const [leaf]: readonly Certificate[] = parseChain(chain);
  const name: unknown = leaf?.x509.toLegacyObject().subject.CN;
  if (typeof name !== 'string' || name === '') throw new Error('the identity certificate has no common name');
  return name;
}
