import { createHmac } from 'node:crypto';

/** A token to be made. `resource` goes into `sr` as it stands here, and is signed so. */
export interface TokenWish {
  readonly resource: string;
  /** Base64. */
  readonly key: string;
  /** Seconds from now; default ten minutes. */
  readonly lifetimeSeconds?: number;
  /** `skn`; left out where absent. */
  readonly policy?: string;
  /** What is signed in place of `resource`. */
  readonly signed?: string;
}

/** `SharedAccessSignature sr=…&sig=…&se=…[&skn=…]` (spec cloud.md 2). */
export function sasToken({ resource, key, lifetimeSeconds = 600, policy, signed = resource }: TokenWish): string {
  const expiry = Math.floor(Date.now() / 1000) + lifetimeSeconds;
  const signature = hmac(key, `${signed}\n${expiry}`);
  const named = policy === undefined ? '' : `&skn=${policy}`;
  return `SharedAccessSignature sr=${resource}&sig=${encodeURIComponent(signature)}&se=${expiry}${named}`;
}

/** The key of a device of a group: HMAC of its registration id under the group key (hub-dps-protocols.md A.5). */
export const deviceKeyOf = (groupKey: string, registrationId: string): string => hmac(groupKey, registrationId);

/** The same token with one character of its signature changed. */
export function withOtherSignature(token: string): string {
  return token.replace(/sig=(.)/, (_all, first: string) => `sig=${first === 'A' ? 'B' : 'A'}`);
}

function hmac(key: string, text: string): string {
  return createHmac('sha256', Buffer.from(key, 'base64')).update(text).digest('base64');
}
