/** Messages between keyd and its token host, a child process that alone loads the PKCS#11 module. */

/** A token as the configuration names it. */
export interface TokenAddress {
  readonly slot: { readonly id: bigint } | { readonly label: string };
  /** Travels only inside these messages, never in arguments, environment or log. */
  readonly pin: string | undefined;
}

/** A token in the words of the log. */
export function tokenName(slot: TokenAddress['slot']): string {
  return 'id' in slot ? `slot ${slot.id}` : `token "${slot.label}"`;
}

/** Public half of a key pair in a token. Integers are big-endian without leading zeros. */
export type TokenPair =
  | { readonly algorithm: 'ECDSA'; readonly curveOid: Buffer; readonly compressedPoint: Buffer }
  | { readonly algorithm: 'RSA'; readonly modulus: Buffer; readonly exponent: Buffer };

/** A key of a token, as far as a listing shows it. */
export interface TokenObject {
  readonly label: string;
  readonly kind: 'key' | 'key-pair';
  /** `ec-p256`, `ec`, `rsa-<bits>`, `hmac-sha256`, `aes`, `symmetric`, `other`. */
  readonly algorithm: string;
  /** CKA_EXTRACTABLE; a token that does not say is taken to let the key out. */
  readonly extractable: boolean;
}

/** What is to be done on one token. An absent label means the first object of the class. */
export type TokenTask =
  | { readonly task: 'open' }
  | { readonly task: 'list' }
  | { readonly task: 'has-secret'; readonly label: string | undefined }
  | { readonly task: 'make-secret'; readonly label: string; readonly use: 'hmac' | 'aes'; readonly bytes?: Buffer }
  | { readonly task: 'delete-secret'; readonly label: string }
  | { readonly task: 'hmac'; readonly label: string | undefined; readonly data: Buffer }
  | {
      readonly task: 'seal' | 'open-sealed';
      readonly label: string | undefined;
      readonly iv: Buffer;
      readonly aad: Buffer;
      readonly data: Buffer;
    }
  | { readonly task: 'pair'; readonly label: string | undefined }
  | { readonly task: 'make-pair'; readonly label: string; readonly algorithms: readonly string[] }
  | { readonly task: 'delete-pair'; readonly label: string }
  | { readonly task: 'move-pair'; readonly from: string; readonly to: string }
  | {
      readonly task: 'sign';
      readonly label: string | undefined;
      readonly mechanism: 'ECDSA' | 'RSA-PKCS1' | 'RSA-NO-PADDING';
      readonly data: Buffer;
    };

/** How a task ended. */
export type TokenOutcome =
  | { readonly outcome: 'done'; readonly bytes?: Buffer; readonly pair?: TokenPair; readonly objects?: TokenObject[] }
  /** No such object in the token. */
  | { readonly outcome: 'missing' }
  /** The object or the input does not fit: the caller's fault. */
  | { readonly outcome: 'unfit'; readonly reason: string }
  /** The token cannot hold such a key; another place may. */
  | { readonly outcome: 'unsupported'; readonly reason: string }
  /** The token or its module failed. `pinRefused`: no further login may be tried. */
  | { readonly outcome: 'failed'; readonly reason: string; readonly pinRefused: boolean };

/** First message to the host. */
export interface HostSetup {
  readonly modulePath: string;
}

/** The configuration has changed: PINs that a token refused may be tried again. */
export interface ForgetPins {
  readonly forgetPins: true;
}

/** First message of the host: it has started, the module is not loaded yet. */
export interface HostReady {
  readonly ready: true;
}

/** One request to the host. */
export interface HostRequest {
  readonly id: number;
  readonly address: TokenAddress;
  readonly task: TokenTask;
}

/** Its answer. */
export interface HostAnswer {
  readonly id: number;
  readonly result: TokenOutcome;
}
