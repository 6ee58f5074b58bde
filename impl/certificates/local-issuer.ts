import { type KeyObject, randomBytes } from 'node:crypto';
import type { KeyHandle } from '../clients/index.ts';
import { invalidParameter } from '../ipc/index.ts';
import {
  type Certificate,
  type CertificateRequest,
  encodeName,
  formatChain,
  IssueError,
  issueCertificate,
  publicKeyOf,
  type X509Signer,
} from '../x509/index.ts';
import { issuerChain } from './issuer-chains.ts';
import type { IssuanceEntry, Settings, SubjectRule } from './settings.ts';
import { OtherKey, type SigningKeys } from './signing-key.ts';
import { type CertificateStore, StoreError } from './store.ts';

/** What local signing needs from outside. */
export interface LocalIssuerContext {
  readonly keys: SigningKeys;
  readonly store: CertificateStore;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What is known about a certificate id that is signed here. */
export interface LocalRequest {
  readonly certId: string;
  readonly csr: CertificateRequest;
  /** Lifetime and subject rule, when the id is configured. */
  readonly entry: IssuanceEntry | undefined;
}

const DEFAULT_EXPIRY_DAYS = 30;
const SECONDS_A_DAY = 86_400;
const SERIAL_BYTES = 16;

/** Subject of a rule: DER, or undefined for the request's own. Throws IssueError for a defective rule, NameError for a bad one. */
export function subjectOf(rule: SubjectRule | undefined): Uint8Array | undefined {
  if (rule === undefined || rule.kind === 'from-request') return undefined;
  if (rule.kind === 'defective') throw new IssueError(rule.fault);
  return encodeName(rule.entries);
}

async function sign(
  { csr, entry }: LocalRequest,
  signer: X509Signer,
  issuerChain: readonly Certificate[],
  { now }: LocalIssuerContext,
): Promise<string> {
  const subject = subjectOf(entry?.subject);
  const leaf = await issueCertificate({
    csr,
    ...(subject ? { subject } : {}),
    issuerChain,
    signer,
    now: now(),
    lifetimeSeconds: (entry?.expiryDays ?? DEFAULT_EXPIRY_DAYS) * SECONDS_A_DAY,
    serial: randomBytes(SERIAL_BYTES),
  });
  return formatChain([leaf, ...issuerChain]);
}

/**
 * Signs with the issuer that the request names. Throws the 400 of `issuer.certId` or `issuer.privateKeyHandle`; any other error is
 * internal.
 */
export async function issueByRequest(
  request: LocalRequest,
  issuer: { readonly certId: string; readonly privateKeyHandle: string },
  context: LocalIssuerContext,
): Promise<string> {
  const pem = await context.store.read(issuer.certId);
  if (pem === undefined) throw invalidParameter('issuer.certId', 'not found');
  const chain = issuerChain(pem);
  if (chain.length === 0) throw invalidParameter('issuer.certId', 'invalid issuer');
  const zero = issuer.privateKeyHandle.indexOf('\0');
  if (zero >= 0)
    throw invalidParameter('issuer.privateKeyHandle', `nul byte found in provided data at position: ${zero}`);
  const handle = issuer.privateKeyHandle as KeyHandle;
  return sign(request, context.keys.signer({ handle }, keyOf(chain)), chain, context);
}

/** Signs with the key pair of the same id as the certificate. Throws the 400 of `csr` when the request is for another key. */
export async function issueSelfSigned(request: LocalRequest, context: LocalIssuerContext): Promise<string> {
  const signer = context.keys.signer({ id: request.certId }, request.csr.publicKey);
  try {
    return await sign(request, signer, [], context);
  } catch (error) {
    if (!(error instanceof OtherKey)) throw error;
    throw invalidParameter('csr', `public key is not that of key pair "${request.certId}" in keyd`);
  }
}

/** Signs with `[cert_issuance.local_ca]`. */
export async function issueByLocalCa(
  request: LocalRequest,
  localCa: Settings['localCa'],
  context: LocalIssuerContext,
): Promise<string> {
  if (!localCa) throw new IssueError('local CA is not configured; set cert and pk in cert_issuance.local_ca');
  const pem = await context.store.read(localCa.cert);
  if (pem === undefined)
    throw new StoreError(`certificate "${localCa.cert}" of the local CA is not there; create or import it`);
  const chain = issuerChain(pem);
  if (chain.length === 0)
    throw new StoreError(`certificate "${localCa.cert}" of the local CA holds no PEM certificate`);
  return sign(request, context.keys.signer({ id: localCa.pk }, keyOf(chain)), chain, context);
}

/** The key that an issuer's certificate was made for. Throws IssueError for one that cannot sign here. */
function keyOf([issuer]: readonly Certificate[]): KeyObject {
  const publicKey = issuer && publicKeyOf(issuer);
  if (!publicKey || !['ec', 'rsa'].includes(publicKey.asymmetricKeyType ?? ''))
    throw new IssueError('the key of the issuer certificate is neither EC nor RSA');
  return publicKey;
}
