import { hash, timingSafeEqual, type X509Certificate } from 'node:crypto';
import { checkChain } from '../credentials/index.ts';
import type { BasicCredential, EstAuth } from './auth.ts';
import { subjectAndKey } from './certificate.ts';
import { type DigestDoor, REALM } from './digest.ts';
import { commonNamesOf, nameText } from './name.ts';
import { EstRefusal } from './refusal.ts';

/** Who enrols. */
export interface Enrolee {
  /** User name, or subject of the client certificate, for people. */
  readonly name: string;
  /** User name and common names: what a permission may name. */
  readonly names: readonly string[];
  readonly by: 'nobody' | 'basic' | 'digest' | 'certificate' | 'both';
}

/** What a caller showed. */
export interface Caller {
  readonly method: string;
  readonly target: string;
  readonly authorization: string | undefined;
  readonly clientChain: readonly X509Certificate[];
  readonly now: number;
}

/** What the server knows of credentials. */
export interface Verifier {
  readonly digest: DigestDoor;
  readonly isRevoked: (serial: string) => boolean;
}

type Checked = { readonly enrolee: Enrolee } | { readonly reason: string; readonly nonce?: 'stale' };

const NOBODY: Enrolee = { name: 'nobody', names: [], by: 'nobody' };
const hashOf = (text: string): Buffer => hash('sha256', text, 'buffer');

function checkBasic(header: string, known: readonly BasicCredential[]): Checked {
  const match = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(header);
  if (!match?.[1]) return { reason: 'the Authorization header is not Basic' };
  const given = hashOf(Buffer.from(match[1], 'base64').toString('utf8'));
  const fits = known.map(({ username, password }) => timingSafeEqual(given, hashOf(`${username}:${password}`)));
  const hit = known[fits.indexOf(true)];
  if (!hit) return { reason: 'unknown user or wrong password' };
  return { enrolee: { name: hit.username, names: [hit.username], by: 'basic' } };
}

function checkPassword({ basic, digest }: EstAuth, caller: Caller, door: DigestDoor): Checked {
  const { authorization } = caller;
  if (!basic && !digest) return { reason: 'passwords are not taken' };
  if (authorization === undefined) return { reason: 'no Authorization header' };
  if (digest && (/^Digest\b/i.test(authorization) || !basic)) {
    const verdict = door.check({ ...caller, authorization }, digest);
    if (verdict.kind === 'user')
      return { enrolee: { name: verdict.username, names: [verdict.username], by: 'digest' } };
    return { reason: verdict.reason, ...(verdict.nonce === 'stale' ? { nonce: 'stale' } : {}) };
  }
  return checkBasic(authorization, basic ?? []);
}

function checkCertificate({ clientCas }: EstAuth, caller: Caller, isRevoked: Verifier['isRevoked']): Checked {
  const [leaf] = caller.clientChain;
  if (!clientCas) return { reason: 'client certificates are not taken' };
  if (!leaf) return { reason: 'no client certificate' };
  const verdict = checkChain(caller.clientChain, clientCas, { commonName: undefined, now: caller.now });
  if (!verdict.verified) return { reason: verdict.reason };
  if (isRevoked(leaf.serialNumber)) return { reason: `the certificate ${leaf.serialNumber} is revoked` };
  const { subject } = subjectAndKey(Buffer.from(leaf.raw));
  return { enrolee: { name: nameText(subject), names: commonNamesOf(subject), by: 'certificate' } };
}

function refusal(auth: EstAuth, checks: readonly Checked[], door: DigestDoor): EstRefusal {
  const reasons = checks.flatMap((checked) => ('reason' in checked ? [checked.reason] : [])).join('; ');
  const stale = checks.some((checked) => 'nonce' in checked);
  const challenges = [
    ...(auth.digest ? door.challenges(stale ? 'stale' : 'fine') : []),
    ...(auth.basic ? [`Basic realm="${REALM}", charset="UTF-8"`] : []),
  ];
  return challenges.length > 0
    ? new EstRefusal(401, 'authentication is needed', { headers: { 'www-authenticate': challenges }, reason: reasons })
    : new EstRefusal(403, 'no acceptable client certificate', { reason: reasons });
}

/**
 * Checks the credentials of an enrolment (RFC 7030 3.2.3 and 3.3.2).
 *
 * @throws EstRefusal 401 with `WWW-Authenticate` where a password would do, else 403.
 */
export function authenticate(auth: EstAuth, caller: Caller, verifier: Verifier): Enrolee {
  if (auth.require === 'none') return NOBODY;
  const certificate = checkCertificate(auth, caller, verifier.isRevoked);
  const password = checkPassword(auth, caller, verifier.digest);
  if (auth.require === 'both') {
    if ('enrolee' in password && 'enrolee' in certificate) {
      const names = [...certificate.enrolee.names, ...password.enrolee.names];
      return { name: certificate.enrolee.name, names, by: 'both' };
    }
  } else {
    if ('enrolee' in certificate) return certificate.enrolee;
    if ('enrolee' in password) return password.enrolee;
  }
  throw refusal(auth, [password, certificate], verifier.digest);
}
