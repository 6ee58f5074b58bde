import type { HttpsErrorKind } from './https-error.ts';
import type { CredentialContext, HttpsRequest, HttpsResponse } from './request.ts';

/** What the main thread asks of the worker. */
export type ToWorker =
  | {
      readonly type: 'send';
      readonly id: number;
      readonly request: HttpsRequest;
      readonly credential: CredentialContext;
    }
  | { readonly type: 'abort'; readonly id: number };

/** What the worker answers; `texts` is the cause chain, outermost first. */
export type FromWorker =
  | { readonly type: 'answer'; readonly id: number; readonly response: HttpsResponse }
  | { readonly type: 'failed'; readonly id: number; readonly kind: HttpsErrorKind; readonly texts: readonly string[] };
