import { timingSafeEqual } from 'node:crypto';
import { EstRefusal } from './refusal.ts';

/** Channel bindings of the connection that a request came over. */
export interface ChannelBinding {
  /** First Finished message of the client; TLS 1.2 only (RFC 5929 3). */
  readonly tlsUnique: Buffer | undefined;
  /** 32 bytes of exported keying material (RFC 9266 2). */
  readonly tlsExporter: Buffer;
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/**
 * Checks that the request was made for this very connection: challengePassword is the base64 of tls-unique (RFC 7030 3.5), or
 * under TLS 1.3, which has no tls-unique, of tls-exporter (RFC 9266).
 *
 * @throws EstRefusal 400 where it was made for another one, or for none although the rule is `required`.
 */
export function checkPossession(
  rule: 'off' | 'checked' | 'required',
  challengePassword: string | undefined,
  { tlsUnique, tlsExporter }: ChannelBinding,
): void {
  if (rule === 'off' || (rule === 'checked' && challengePassword === undefined)) return;
  const binding = tlsUnique ? 'tls-unique' : 'tls-exporter';
  if (challengePassword === undefined)
    throw new EstRefusal(400, `challengePassword with the base64 of ${binding} is needed`);
  if (!sameText(challengePassword, (tlsUnique ?? tlsExporter).toString('base64')))
    throw new EstRefusal(400, `challengePassword is not the base64 of this connection's ${binding}`);
}
