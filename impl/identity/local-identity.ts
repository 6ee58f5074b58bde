import { generateKeyPair } from 'node:crypto';
import { promisify } from 'node:util';
import type { CertdClient } from '../clients/index.ts';
import { internalError } from '../ipc/index.ts';
import {
  basicConstraints,
  CLIENT_AUTH,
  createCsr,
  extendedKeyUsage,
  keyUsage,
  parseChain,
  softwareSigner,
} from '../x509/index.ts';
import { cutCommonName } from './common-name.ts';
import type { LocalPurpose, Settings } from './settings.ts';

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';
const makeKeyPair = promisify(generateKeyPair);

/** A local identity with its key, as callers get it; made anew at each call and kept nowhere. */
export interface LocalIdentity {
  readonly type: 'local';
  readonly spec: {
    readonly moduleId: string;
    readonly auth: { readonly privateKey: string; readonly certificate: string; readonly expiration: string };
  };
}

/** `YYYY-MM-DDTHH:MM:SS+00:00`. */
const expirationText = (milliseconds: number): string => `${new Date(milliseconds).toISOString().slice(0, 19)}+00:00`;

async function make(
  certd: CertdClient,
  settings: Settings,
  moduleId: string,
  purpose: LocalPurpose,
): Promise<LocalIdentity> {
  if (settings.localIdDomain === undefined) throw new Error('local identities need the [localid] table');
  const { privateKey, publicKey } = await makeKeyPair('rsa', { modulusLength: 2048 });
  const purposes = purpose === 'server' ? [CLIENT_AUTH, SERVER_AUTH] : [CLIENT_AUTH];
  const csr = await createCsr({
    subject: [['CN', cutCommonName(`${moduleId}.${settings.hostname}.${settings.localIdDomain}`)]],
    extensions: [
      basicConstraints('not-a-ca'),
      keyUsage('digitalSignature', 'nonRepudiation', 'keyEncipherment'),
      { ...extendedKeyUsage(...purposes), critical: true },
    ],
    signer: softwareSigner(privateKey, publicKey),
  });
  const certificate = await certd.create(moduleId, csr);
  const [leaf] = parseChain(certificate);
  if (!leaf) throw new Error(`certd issued no certificate for "${moduleId}"`);
  return {
    type: 'local',
    spec: {
      moduleId,
      auth: {
        privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
        certificate,
        expiration: expirationText(leaf.notAfter),
      },
    },
  };
}

/** Issues a local identity: new RSA-2048 key, certificate from certd under the module's id (5.6). Throws the 500. */
export async function issueLocalIdentity(
  certd: CertdClient,
  settings: Settings,
  moduleId: string,
  purpose: LocalPurpose,
): Promise<LocalIdentity> {
  try {
    return await make(certd, settings, moduleId, purpose);
  } catch (error) {
    throw internalError(error);
  }
}
