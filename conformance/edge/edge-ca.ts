import { X509Certificate } from 'node:crypto';
import { CA_EXTENSIONS, certificateRequest, digestInfo, rsaPublicKey } from './certificate-request.ts';
import type { EdgeClient, EdgeResult } from './edge-client.ts';

export const CA = 'aziot-edged-ca';
const TEMPORARY = `${CA}-temp`;

/** The daemon gives up: it logs the reason and exits. */
export class EdgeExit extends Error {
  override readonly name = 'EdgeExit';
}

/** The outcome of one renewal of the edge CA (edge-runtime.md 6). */
export type Renewal =
  | { readonly kind: 'renewed' }
  /** Tried again after the retry period. */
  | { readonly kind: 'failed'; readonly step: string; readonly result: EdgeResult }
  /** The certificate is not the one that was known: renewal of it ends for good. */
  | { readonly kind: 'ended' };

export function bodyText(result: EdgeResult, member: string): string | undefined {
  const value = result.kind === 'answer' ? result.body[member] : undefined;
  return typeof value === 'string' ? value : undefined;
}

export function hasStatus(result: EdgeResult, status: number): boolean {
  return result.kind === 'answer' && result.status === status;
}

/** A request signed by a key pair of keyd as the engine does it: the public part twice, then one raw RSA signature. */
export async function requestByHandle(client: EdgeClient, keyHandle: string, commonName: string): Promise<string> {
  const part = async (name: string) => client.engine(`/parameters/${name}`, { keyHandle }, 'value');
  let modulus = '';
  let exponent = '';
  for (let times = 0; times < 2; times += 1) {
    const algorithm = await part('algorithm');
    if (algorithm !== 'RSA') throw new Error(`the key of the edge CA is ${algorithm}, not RSA`);
    modulus = String(await part('rsa-modulus'));
    exponent = String(await part('rsa-exponent'));
  }
  const publicKey = rsaPublicKey(Buffer.from(modulus, 'base64'), Buffer.from(exponent, 'base64'));
  const sign = async (bytes: Buffer) => {
    const plaintext = digestInfo(bytes).toString('base64');
    const body = { keyHandle, algorithm: 'RSA-PKCS1', plaintext };
    return Buffer.from(String(await client.engine('/encrypt', body, 'ciphertext')), 'base64');
  };
  return certificateRequest({ commonName, publicKey, extensions: CA_EXTENSIONS, sign });
}

/** Steps 3 to 7 of a start: the key, and the certificate that is there or is made. Gives the PEM of the edge CA. */
export async function ensureEdgeCa(client: EdgeClient, deviceId: string): Promise<{ pem: string; made: boolean }> {
  const pair = await client.ask('keyd', 'POST', '/keypair', { keyId: CA, preferredAlgorithms: 'rsa-2048:*' });
  const keyHandle = bodyText(pair, 'keyHandle');
  if (!hasStatus(pair, 200) || keyHandle === undefined) throw new EdgeExit(`no key for the edge CA: ${text(pair)}`);
  const known = await client.ask('certd', 'GET', `/certificates/${CA}`);
  const made = !hasStatus(known, 200);
  // any failure of this read, whatever it is, makes the daemon replace its CA
  if (made) {
    const csr = await requestByHandle(client, keyHandle, `aziot-edge CA ${deviceId}`);
    const issued = await client.ask('certd', 'POST', '/certificates', { certId: CA, csr, issuer: null });
    if (!hasStatus(issued, 201)) throw new EdgeExit(`no edge CA: ${text(issued)}`);
  }
  const current = await client.ask('certd', 'GET', `/certificates/${CA}`);
  const pem = bodyText(current, 'pem');
  if (!hasStatus(current, 200) || pem === undefined) throw new EdgeExit(`the edge CA cannot be read: ${text(current)}`);
  return { pem, made };
}

/** How a renewal is run. */
export interface RenewalWay {
  readonly key: 'rotate' | 'keep';
  /** Runs before the last step with a new key, its move to the place of the old one. */
  readonly beforeMove?: () => Promise<void>;
}

/** One renewal with or without a new key. `known` is the certificate of the last time. */
export async function renewEdgeCa(client: EdgeClient, known: string, way: RenewalWay): Promise<Renewal> {
  const failed = (step: string, result: EdgeResult): Renewal => ({ kind: 'failed', step, result });
  const current = await client.ask('certd', 'GET', `/certificates/${CA}`);
  if (!hasStatus(current, 200) || bodyText(current, 'pem') !== known) return { kind: 'ended' };
  const pair = way.key === 'rotate' ? await temporaryPair(client) : await client.ask('keyd', 'GET', `/keypair/${CA}`);
  const keyHandle = bodyText(pair, 'keyHandle');
  if (!hasStatus(pair, 200) || keyHandle === undefined) return failed('key', pair);
  const csr = await requestByHandle(client, keyHandle, commonName(known));
  const issued = await client.ask('certd', 'POST', '/certificates', { certId: TEMPORARY, csr, issuer: null });
  const pem = bodyText(issued, 'pem');
  if (!hasStatus(issued, 201) || pem === undefined) return failed('issue', issued);
  await client.ask('certd', 'DELETE', `/certificates/${TEMPORARY}`);
  const stored = await client.ask('certd', 'PUT', `/certificates/${CA}`, { pem });
  if (!hasStatus(stored, 201)) return failed('store', stored);
  if (way.key === 'keep') return { kind: 'renewed' };
  await way.beforeMove?.();
  const moved = await client.ask('keyd', 'POST', `/keypair/${CA}`, { from: TEMPORARY });
  if (hasStatus(moved, 204)) return { kind: 'renewed' };
  await client.ask('certd', 'PUT', `/certificates/${CA}`, { pem: known });
  return failed('move', moved);
}

async function temporaryPair(client: EdgeClient): Promise<EdgeResult> {
  const stale = await client.ask('keyd', 'GET', `/keypair/${TEMPORARY}`);
  if (hasStatus(stale, 200)) {
    const removed = await client.ask('keyd', 'DELETE', '/keypair', { keyHandle: bodyText(stale, 'keyHandle') });
    if (!hasStatus(removed, 204)) return removed;
  }
  return client.ask('keyd', 'POST', '/keypair', { keyId: TEMPORARY, preferredAlgorithms: 'rsa-2048:*' });
}

function commonName(pem: string): string {
  return /^CN=(.*)$/m.exec(new X509Certificate(pem).subject)?.[1] ?? '';
}

export function text(result: EdgeResult): string {
  return JSON.stringify(result).slice(0, 400);
}
