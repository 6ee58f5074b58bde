import type { SecureContextOptions } from 'node:tls';
import type { ProxySettings } from './proxy.ts';
import type { TrustStore } from './trust.ts';

/** A TLS client credential whose private key stays in keyd. */
export interface ClientCredential {
  /** Handle of the key pair; a secret of its own, never logged. */
  readonly keyHandle: string;
  /** Leaf first, then the rest of the chain, PEM. */
  readonly certificateChainPem: string;
}

/** One outbound request; everything in it can be cloned to another thread. */
export interface HttpsRequest {
  readonly method: string;
  /** `https:` only. Path and query are sent as they stand in the URL. */
  readonly url: string;
  /** Sent exactly like this, in this order, and nothing else: `host` and `content-length` are the caller's. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array | undefined;
  readonly trust: TrustStore;
  readonly proxy?: ProxySettings | undefined;
  /** From the start until the TLS handshake is complete, milliseconds. */
  readonly connectTimeoutMs: number;
  /** From the start until the last byte of the answer, milliseconds. */
  readonly totalTimeoutMs: number;
  /** `kept`: over a connection that stays open for the next request to the same server with the same credential. Default: its own. */
  readonly connection?: 'kept' | 'own' | undefined;
  /** Largest answer body that is taken, bytes; default 1 MiB. */
  readonly maxBodyBytes?: number | undefined;
}

/** A whole answer. */
export interface HttpsResponse {
  readonly status: number;
  /** Names in lower case; repeated fields joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly tls: { readonly protocol: string | null };
}

/** What `tls.createSecureContext` needs for a key in keyd (the room `openssl` makes it); plain data. */
export type CredentialContext = SecureContextOptions;
