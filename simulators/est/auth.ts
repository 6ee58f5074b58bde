/** A name and password that may enrol. */
export interface BasicCredential {
  readonly username: string;
  readonly password: string;
}

/** Who may enrol. */
export interface EstAuth {
  /** Taken by HTTP basic (RFC 7617). */
  readonly basic?: readonly BasicCredential[];
  /** Taken by HTTP digest (RFC 7616). */
  readonly digest?: readonly BasicCredential[];
  /** Trust anchors of client certificates, PEM. */
  readonly clientCas?: readonly string[];
  /**
   * `either`, the default: a password or a client certificate; `both`: the two together; `none`: everybody, and credentials are not looked
   * at.
   */
  readonly require?: 'either' | 'both' | 'none';
}

/** What is wrong with a description of who may enrol; undefined where nothing is. */
export function authDefect({ basic, digest, clientCas, require = 'either' }: EstAuth): string | undefined {
  const passwords = (basic?.length ?? 0) + (digest?.length ?? 0) > 0;
  if (require === 'both' && !(passwords && clientCas)) return 'auth with require "both" needs passwords and clientCas';
  if (require === 'either' && !passwords && !clientCas)
    return 'auth needs basic, digest or clientCas, or require "none"';
  return undefined;
}
