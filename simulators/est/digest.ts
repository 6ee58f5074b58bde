import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { BasicCredential } from './auth.ts';

const NONCE_LIFE_MS = 300_000;
const MOST_NONCES = 10_000;
const MOST_PARAMETERS = 32;
const QOP = 'auth';

/** Names of RFC 7616 6.1 with the hash that each is; the strongest is offered first. */
const ALGORITHMS: Readonly<Record<string, string>> = { 'SHA-256': 'sha256', MD5: 'md5' };

export const REALM = 'TEST EST';

/** What came of an Authorization header: a user, or why not, and whether a fresh nonce would do. */
export type DigestVerdict =
  | { readonly kind: 'user'; readonly username: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly nonce: 'fine' | 'stale' };

/** One request as digest sees it. */
export interface DigestRequest {
  readonly method: string;
  /** Request target as received. */
  readonly target: string;
  readonly authorization: string;
}

const refused = (reason: string, nonce: 'fine' | 'stale' = 'fine'): DigestVerdict => ({
  kind: 'refused',
  reason,
  nonce,
});

/** The parameters of `Digest name=value, name="value"` (RFC 9110 11.2); undefined where it is none. */
function readDigest(header: string): Map<string, string> | undefined {
  const start = /^Digest[ \t]+/i.exec(header);
  if (!start) return undefined;
  const parameters = new Map<string, string>();
  const pattern = /[ \t]*([A-Za-z0-9*_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s",]+))[ \t]*(?:,|$)/y;
  pattern.lastIndex = start[0].length;
  while (pattern.lastIndex < header.length) {
    const match = pattern.exec(header);
    if (!match?.[1] || parameters.size >= MOST_PARAMETERS) return undefined;
    const name = match[1].toLowerCase();
    if (parameters.has(name)) return undefined;
    parameters.set(name, match[2]?.replace(/\\(.)/g, '$1') ?? match[3] ?? '');
  }
  return parameters;
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** The server's side of HTTP digest with qop auth; nonces are its own for five minutes, and each count of one is taken once. */
export class DigestDoor {
  readonly #secret = randomBytes(32);
  /** Highest count seen by nonce. */
  readonly #counts = new Map<string, number>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Challenges for WWW-Authenticate, one for each algorithm. */
  challenges(nonce: 'fine' | 'stale'): string[] {
    const fresh = this.#nonce(this.#now(), randomBytes(12).toString('base64url'));
    const stale = nonce === 'stale' ? ', stale=true' : '';
    return Object.keys(ALGORITHMS).map(
      (algorithm) => `Digest realm="${REALM}", qop="${QOP}", algorithm=${algorithm}, nonce="${fresh}"${stale}`,
    );
  }

  /** Judges the header against the users. */
  check(request: DigestRequest, known: readonly BasicCredential[]): DigestVerdict {
    const given = readDigest(request.authorization);
    if (!given) return refused('the Authorization header is not Digest');
    const value = (name: string) => given.get(name) ?? '';
    const hashName = ALGORITHMS[given.get('algorithm') ?? 'MD5'];
    if (!hashName) return refused(`the digest algorithm ${value('algorithm')} was not offered`);
    if (value('realm') !== REALM) return refused('the realm is not that of the challenge');
    if (value('qop') !== QOP) return refused('the qop is not the one that was offered');
    if (value('uri') !== request.target) return refused('the uri of the digest is not the request target');
    if (!/^[0-9a-f]{8}$/i.test(value('nc')) || value('cnonce') === '') return refused('nc or cnonce is missing');
    const hash = (text: string) => createHash(hashName).update(text, 'utf8').digest('hex');
    const fits = known.map(({ username, password }) => {
      const user = hash(`${username}:${REALM}:${password}`);
      const message = hash(`${request.method}:${value('uri')}`);
      const answer = hash(`${user}:${value('nonce')}:${value('nc')}:${value('cnonce')}:${QOP}:${message}`);
      return sameText(answer, value('response').toLowerCase()) && sameText(username, value('username'));
    });
    const hit = known[fits.indexOf(true)];
    if (!hit) return refused('unknown user or wrong password');
    return this.#spend(value('nonce'), Number.parseInt(value('nc'), 16), hit.username);
  }

  #nonce(at: number, salt: string): string {
    const text = `${at.toString(36)}.${salt}`;
    return `${text}.${createHmac('sha256', this.#secret).update(text).digest('base64url')}`;
  }

  #spend(nonce: string, count: number, username: string): DigestVerdict {
    const [at = '', salt = ''] = nonce.split('.');
    const made = Number.parseInt(at, 36);
    if (!Number.isSafeInteger(made) || !sameText(nonce, this.#nonce(made, salt)))
      return refused('the nonce is not of this server', 'stale');
    if (Math.abs(this.#now() - made) > NONCE_LIFE_MS) return refused('the nonce is too old', 'stale');
    if (count <= (this.#counts.get(nonce) ?? 0)) return refused('the nonce count was used already', 'stale');
    this.#counts.delete(nonce);
    this.#counts.set(nonce, count);
    const [oldest] = this.#counts.keys();
    if (this.#counts.size > MOST_NONCES && oldest !== undefined) this.#counts.delete(oldest);
    return { kind: 'user', username };
  }
}
