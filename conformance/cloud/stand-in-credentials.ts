import { createHmac, timingSafeEqual } from 'node:crypto';
import { type CloudRequest, headerOf } from './stand-in-request.ts';

/** How a device proves itself: by a shared key, or by a certificate with this common name. */
export interface DeviceProof {
  readonly key?: Buffer | undefined;
  readonly commonName?: string | undefined;
}

interface Token {
  readonly sr: string;
  readonly sig: string;
  readonly se: string;
  readonly skn: string | undefined;
}

function tokenOf(request: CloudRequest): Token | undefined {
  const [, text] = /^SharedAccessSignature (.*)$/.exec(headerOf(request, 'authorization') ?? '') ?? [];
  if (text === undefined) return undefined;
  const parts = new Map(text.split('&').map((part) => part.split(/=(.*)/s).slice(0, 2) as [string, string]));
  const [sr, sig, se] = ['sr', 'sig', 'se'].map((name) => parts.get(name));
  return sr && sig && se ? { sr, sig, se, skn: parts.get('skn') } : undefined;
}

function tokenFault(
  token: Token,
  key: Buffer,
  resources: readonly string[],
  skn: string | undefined,
): string | undefined {
  if (token.skn !== skn) return 'skn';
  const named = decodeURIComponent(token.sr).toLowerCase();
  if (!resources.some((resource) => resource.toLowerCase() === named)) return 'resource';
  if (Number(token.se) * 1000 <= Date.now()) return 'expired';
  const expected = createHmac('sha256', key).update(`${token.sr}\n${token.se}`).digest();
  const given = Buffer.from(decodeURIComponent(token.sig), 'base64');
  return given.length === expected.length && timingSafeEqual(given, expected) ? undefined : 'signature';
}

/**
 * What is wrong with the credential of a request, or undefined. A token is computed anew over the raw `sr`.
 *
 * @param resources what `sr` may say once decoded; case does not count.
 * @param skn key name that has to be there; undefined: none may.
 */
export function credentialFault(
  request: CloudRequest,
  proof: DeviceProof,
  resources: readonly string[],
  skn: string | undefined,
): string | undefined {
  if (proof.commonName !== undefined) {
    if (!request.clientIsTrusted) return 'certificate';
    return request.client[0] === `CN=${proof.commonName}` ? undefined : 'common name';
  }
  const token = tokenOf(request);
  if (!token || !proof.key) return 'no token';
  return tokenFault(token, proof.key, resources, skn);
}
