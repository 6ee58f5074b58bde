// What a log says of a renewal, in the words of this project or of the reference: the specification asks for a line, not for its text.

/** Whether and when an identity is renewed. */
export const planned = (id: string): RegExp => new RegExp(`${id}"? (?:is renewed at|will be auto-renewed)`);

/** A renewal that failed and is tried again. */
export const FAILED = /could not renew|Tried to renew|Failed to write new cert/;

/** The certificate is not the one that was looked at before. */
export const REPLACED = /is not renewed until it is used again|has changed since last renewal/;

/** The identity is expired, and nothing is there to ask for another with. */
export const EXPIRED = /expired|bootstrap credentials not available/;

/** A server is asked without TLS. */
export const NO_TLS = /\[WARN\].*has no TLS|Warning: .*unencrypted HTTP/;
