import type { Endpoints } from '../config/index.ts';
import type { EstAuth } from '../est/index.ts';
import type { RenewalPolicy } from '../renewal/index.ts';
import type { NameEntries } from '../x509/index.ts';
import type { Preloaded } from './preloaded.ts';
import type { Principals } from './principals.ts';

/** How the certificates of one id are made. */
export interface IssuanceEntry {
  readonly method: 'est' | 'local_ca' | 'self_signed';
  readonly expiryDays: number;
  readonly subject: SubjectRule;
  /** EST only. */
  readonly url: string | undefined;
  /** EST only; overrides the global block as a whole. */
  readonly auth: EstAuth;
}

/** Where the subject of a locally signed certificate comes from; `defective` fails each request for that id. */
export type SubjectRule =
  | { readonly kind: 'from-request' }
  | { readonly kind: 'entries'; readonly entries: NameEntries }
  | { readonly kind: 'defective'; readonly fault: string };

/** `[cert_issuance.est]`. */
export interface EstSettings {
  readonly trustedCerts: readonly string[];
  readonly auth: EstAuth;
  readonly urls: Readonly<Record<string, string>>;
  readonly renewal: RenewalPolicy;
  /** How renewals are asked for. */
  readonly operation: 'simpleenroll' | 'simplereenroll';
  /** Whether the server is asked what it wants to see in the requests of identities. */
  readonly csrAttributes: 'ask' | 'ignore';
}

/** certd's configuration, checked. */
export interface Settings {
  readonly homedir: string;
  readonly maxRequests: number;
  readonly endpoints: Endpoints;
  readonly issuance: ReadonlyMap<string, IssuanceEntry>;
  readonly localCa: { readonly cert: string; readonly pk: string } | undefined;
  readonly est: EstSettings;
  readonly preloaded: ReadonlyMap<string, Preloaded>;
  readonly principals: Principals;
}
