import { encodeResource } from './encode.ts';

/** Computes HMAC-SHA256 over the bytes with the device's key, wherever that lives. */
export type SignToken = (data: Uint8Array) => Promise<Uint8Array>;

/** What a token is for. */
export interface TokenScope {
  /** Audience before lower-casing and encoding: `<hub>/devices/<device>` or `<scope>/registrations/<registration>`. */
  readonly resource: string;
  /** `skn`: `registration` for DPS, none for the hub. */
  readonly keyName: 'registration' | undefined;
}

/**
 * The value of an `authorization` header (spec/cloud.md 2): `SharedAccessSignature sr=…&sig=…&se=…[&skn=registration]`.
 *
 * @param expiry Unix seconds.
 * @param sign errors of it are passed on.
 */
export async function createSasToken(scope: TokenScope, expiry: number, sign: SignToken): Promise<string> {
  const resource = encodeResource(scope.resource);
  const signature = await sign(Buffer.from(`${resource}\n${expiry}`, 'utf8'));
  const encoded = encodeURIComponent(Buffer.from(signature).toString('base64'));
  const keyName = scope.keyName === undefined ? '' : `&skn=${scope.keyName}`;
  return `SharedAccessSignature sr=${resource}&sig=${encoded}&se=${expiry}${keyName}`;
}
