import { EstSettingsError } from './target.ts';

/** A certificate id in certd with the id of its key pair in keyd. */
export interface IdentityIds {
  readonly cert: string;
  readonly pk: string;
}

export interface BasicAuth {
  readonly username: string;
  readonly password: string;
}

/** Complete pairs of one authentication block. */
export interface EstAuth {
  readonly basic?: BasicAuth | undefined;
  readonly identity?: IdentityIds | undefined;
  /** First-time credential; counts only beside `identity`. */
  readonly bootstrap?: IdentityIds | undefined;
}

/** Whether a block holds at least one complete pair. */
export function isUsableAuth(auth: EstAuth | undefined): auth is EstAuth {
  return auth?.basic !== undefined || auth?.identity !== undefined;
}

/**
 * The block to use, as a whole: the certificate's own when it holds a complete pair, else the global one (spec/est.md 1.2).
 *
 * @throws EstSettingsError when neither can be used.
 */
export function chooseAuth(own: EstAuth | undefined, global: EstAuth | undefined, certId: string): EstAuth {
  if (isUsableAuth(own)) return own;
  if (isUsableAuth(global)) return global;
  throw new EstSettingsError(
    `EST auth is not configured for "${certId}"; set username and password or identity_cert and identity_pk in cert_issuance.est`,
  );
}

/** Value of the `authorization` header: base64 of the UTF-8 bytes of `username:password` (RFC 7617). */
export function basicHeader({ username, password }: BasicAuth): string {
  return `Basic ${Buffer.from(`${username}:${password}`, 'utf8').toString('base64')}`;
}
