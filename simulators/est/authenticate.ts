import { createHash, timingSafeEqual, type X509Certificate } from 'node:crypto';
import { checkChain } from '../credentials/index.ts';
import { EstRefusal } from './refusal.ts';

/** A name and password that may enrol. */
export interface BasicCredential {
  readonly username: string;
  readonly password: string;
}

/** Who may enrol. Either way suffices, unless `requireBoth`. */
export interface EstAuth {
  readonly basic?: readonly BasicCredential[];
  /** Trust anchors of client certificates, PEM. */
  readonly clientCas?: readonly string[];
  readonly requireBoth?: boolean;
}

/** Who enrols, for the journal. */
export interface Enrolee {
  readonly name: string;
  readonly by: 'basic' | 'certificate' | 'both';
}

type Checked = { readonly name: string } | { readonly reason: string };

const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest();

function checkBasic(header: string | undefined, known: readonly BasicCredential[]): Checked {
  const match = /^Basic ([A-Za-z0-9+/]+={0,2})$/i.exec(header ?? '');
  if (!match?.[1])
    return { reason: header === undefined ? 'no Authorization header' : 'the Authorization header is not Basic' };
  const given = digest(Buffer.from(match[1], 'base64').toString('utf8'));
  const fits = known.map(({ username, password }) => timingSafeEqual(given, digest(`${username}:${password}`)));
  const hit = known[fits.indexOf(true)];
  return hit ? { name: hit.username } : { reason: 'unknown user or wrong password' };
}

function checkCertificate(chain: readonly X509Certificate[], anchors: readonly string[], now: number): Checked {
  if (chain.length === 0) return { reason: 'no client certificate' };
  const verdict = checkChain(chain, anchors, { commonName: undefined, now });
  return verdict.verified ? { name: chain[0]?.subject.replaceAll('\n', ', ') ?? '' } : { reason: verdict.reason };
}

/**
 * Checks the credentials of an enrolment (RFC 7030 3.2.3 and 3.3.2).
 *
 * @throws EstRefusal 401 with `WWW-Authenticate` where basic would do, else 403.
 */
export function authenticate(
  auth: EstAuth,
  caller: {
    readonly authorization: string | undefined;
    readonly clientChain: readonly X509Certificate[];
    readonly now: number;
  },
): Enrolee {
  const basic: Checked = auth.basic
    ? checkBasic(caller.authorization, auth.basic)
    : { reason: 'passwords are not taken' };
  const certificate: Checked = auth.clientCas
    ? checkCertificate(caller.clientChain, auth.clientCas, caller.now)
    : { reason: 'client certificates are not taken' };
  const reasons = [basic, certificate].flatMap((checked) => ('reason' in checked ? [checked.reason] : [])).join('; ');
  const challenge = auth.basic ? { 'www-authenticate': 'Basic realm="TEST EST"' } : undefined;
  const refusal = challenge
    ? new EstRefusal(401, 'authentication is needed', { headers: challenge, reason: reasons })
    : new EstRefusal(403, 'no acceptable client certificate', { reason: reasons });
  if (auth.requireBoth) {
    if ('name' in basic && 'name' in certificate) return { name: certificate.name, by: 'both' };
    throw refusal;
  }
  if ('name' in certificate) return { name: certificate.name, by: 'certificate' };
  if ('name' in basic) return { name: basic.name, by: 'basic' };
  throw refusal;
}
