import type { ClientCredential } from '../https/index.ts';
import type { SignToken } from './sas-token.ts';

/** How a device proves itself to DPS and the hub: a SAS token for each attempt, or a TLS client certificate. */
export type CloudCredential =
  | { readonly kind: 'token'; readonly sign: SignToken }
  | { readonly kind: 'certificate'; readonly certificate: ClientCredential };
