/** A request that reached the stand-in, and what it was answered. */
export interface CloudRequest {
  /** Host name of the TLS handshake; empty for an address. */
  readonly sni: string;
  readonly method: string;
  /** As sent: path and query, or the absolute form. */
  readonly target: string;
  /** Name and value as sent, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  /** Subjects of the presented client certificate and its issuers, leaf first, as `CN=…`. */
  readonly client: readonly string[];
  /** Whether an authority of the stand-in issued that certificate, and it is valid now. */
  readonly clientIsTrusted: boolean;
  /** Number of the connection it came over, from 1. */
  readonly connection: number;
}

/** An answer: JSON, or the text itself where `body` is a string. */
export interface CloudAnswer {
  readonly status: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A scripted answer as the recordings write it. Times are seconds. */
export interface CloudFault {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Content type; null for none. */
  readonly type?: string | null;
  /** The connection is closed, or reset, without an answer. */
  readonly close?: boolean;
  readonly reset?: boolean;
  /** The proper answer comes this much later. */
  readonly hang?: number;
}

export const headerOf = ({ headers }: CloudRequest, wanted: string): string | undefined =>
  headers.find(([name]) => name.toLowerCase() === wanted)?.[1];

/** Path of a request, whatever form its target has. */
export const pathOf = ({ target }: CloudRequest): string =>
  (target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/]*/, '')).replace(/[?#].*$/, '');
