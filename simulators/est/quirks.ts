/** How the bytes of an answer look; base64 in lines of 64 with CRLF is the proper way. */
export type BodyForm = 'wrapped' | 'wrapped-lf' | 'unwrapped' | 'pem' | 'der' | 'bad-base64';

/** Ways of real servers that a client must cope with or refuse; all off by default. */
export interface EstQuirks {
  /** Only for this operation; for every one where absent. */
  readonly operation?: 'cacerts' | 'simpleenroll' | 'simplereenroll' | 'csrattrs' | 'serverkeygen' | 'fullcmc';
  /** Only for this label; for every one where absent. */
  readonly label?: string;
  /** Base64 in one line; the same as `body: 'unwrapped'`. */
  readonly unwrappedBase64?: boolean;
  readonly body?: BodyForm;
  /** 201 in place of 200. */
  readonly created?: boolean;
  /** This in place of 200; the body stays the proper one. */
  readonly status?: number;
  /** 302 to this URL in place of an answer. */
  readonly redirect?: string;
  /** A sign-in page with 200 in place of the answer. */
  readonly html?: boolean;
  /** The certificate of another key. */
  readonly foreignLeaf?: boolean;
  /** A certificate that ended a minute ago. */
  readonly expiredLeaf?: boolean;
  readonly missingContentType?: boolean;
  /** This in place of the proper content type. */
  readonly contentType?: string;
  /** No Content-Transfer-Encoding, as RFC 8951 has it. */
  readonly missingTransferEncoding?: boolean;
  /** 202 with `Retry-After` for the first requests of each CSR, as seconds or as an HTTP date. */
  readonly pending?: {
    readonly times: number;
    readonly retryAfterSeconds: number;
    readonly form?: 'seconds' | 'date' | 'absent';
  };
  /** The leaf, then its authority and root. */
  readonly chainIncluded?: boolean;
  /** Authority certificates in front of the leaf. */
  readonly chainReversed?: boolean;
  /** Every certificate twice. */
  readonly duplicates?: boolean;
  /** Two roots of strangers beside the proper certificates. */
  readonly extraRoots?: boolean;
  /** Revocation lists beside the certificates. */
  readonly crls?: boolean;
  /** A message without certificates. */
  readonly empty?: boolean;
  /** signedData without the certificates field. */
  readonly noCertificates?: boolean;
  /** A PKCS#7 message of type data in place of signedData. */
  readonly wrongMessageType?: boolean;
  /** BER with indefinite lengths in place of DER. */
  readonly indefiniteLengths?: boolean;
  /** Half of the body, then the connection is cut. */
  readonly closeMidBody?: boolean;
  /** The proper answer after this time. */
  readonly delayMilliseconds?: number;
  /** The proper answer, but with this pause after each byte of the body. */
  readonly slowBytesMilliseconds?: number;
  /** No answer at all. */
  readonly never?: boolean;
}

const NO_QUIRKS: EstQuirks = Object.freeze({});

/** The quirks that hold for an operation below a label, those further down first. */
export function quirksFor(
  quirks: EstQuirks | readonly EstQuirks[],
  at: { readonly operation: string; readonly label: string | undefined },
): EstQuirks {
  const all: readonly EstQuirks[] = Array.isArray(quirks) ? quirks : [quirks];
  if (all.every((one) => Object.keys(one).length === 0)) return NO_QUIRKS;
  const holds = all.filter(
    ({ operation, label }) =>
      (operation === undefined || operation === at.operation) && (label === undefined || label === at.label),
  );
  return Object.assign({}, ...holds.map(({ operation: _, label: __, ...rest }) => rest));
}

/** Names of the quirks that are on, for the journal; undefined where none is. */
export function quirkNames(quirks: EstQuirks): string | undefined {
  const on = Object.entries(quirks).flatMap(([name, value]) => (value ? [name] : []));
  return on.length > 0 ? `quirk ${on.join(' ')}` : undefined;
}
