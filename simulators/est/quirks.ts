/** How the bytes of an answer look; base64 in lines of 64 with CRLF is the proper way. */
export type BodyForm = 'wrapped' | 'unwrapped' | 'pem' | 'der' | 'bad-base64';

/** Ways of real servers that a client must cope with or refuse; all off by default. */
export interface EstQuirks {
  /** Only for this operation; for every one where absent. */
  readonly operation?: 'cacerts' | 'simpleenroll' | 'simplereenroll';
  /** Base64 in one line; the same as `body: 'unwrapped'`. */
  readonly unwrappedBase64?: boolean;
  readonly body?: BodyForm;
  /** 201 in place of 200. */
  readonly created?: boolean;
  /** A sign-in page with 200 in place of the answer. */
  readonly html?: boolean;
  /** The certificate of another key. */
  readonly foreignLeaf?: boolean;
  /** A certificate that ended a minute ago. */
  readonly expiredLeaf?: boolean;
  readonly missingContentType?: boolean;
  /** This in place of the proper content type. */
  readonly contentType?: string;
  /** 202 with `Retry-After` for the first requests of each CSR. */
  readonly pending?: { readonly times: number; readonly retryAfterSeconds: number };
  /** Authority certificates in front of the leaf. */
  readonly chainReversed?: boolean;
  /** Every certificate twice. */
  readonly duplicates?: boolean;
  /** A message without certificates. */
  readonly empty?: boolean;
  /** A PKCS#7 message of type data in place of signedData. */
  readonly wrongMessageType?: boolean;
  /** The proper answer, but with this pause after each byte of the body. */
  readonly slowBytesMilliseconds?: number;
  /** No answer at all. */
  readonly never?: boolean;
}

/** The quirks that hold for an operation. */
export function quirksFor(quirks: EstQuirks, operation: string): EstQuirks {
  return quirks.operation === undefined || quirks.operation === operation ? quirks : {};
}

/** Names of the quirks that are on, for the journal; undefined where none is. */
export function quirkNames({ operation: _, ...quirks }: EstQuirks): string | undefined {
  const on = Object.entries(quirks).flatMap(([name, value]) => (value ? [name] : []));
  return on.length > 0 ? `quirk ${on.join(' ')}` : undefined;
}
