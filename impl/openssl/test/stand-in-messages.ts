/** What the tests and the stand-in for keyd say to each other. */

/** A key of the stand-in. `unsupported`: keyd refuses to name its curve. `uncompressed`: keyd gives its point so. */
export interface KeyFile {
  readonly name: string;
  readonly handle: string;
  /** PEM file with the private key; of no meaning for a symmetric key. */
  readonly path: string;
  readonly kind: 'pair' | 'symmetric' | 'unsupported' | 'uncompressed';
}

/** One way to answer wrongly. All fields left out: the right answer. */
export interface Behaviour {
  /** Only requests for this path; all, when left out. */
  path?: string;
  /** For so many requests, then no more; for ever, when left out. */
  times?: number;
  /** Never answer, keep the connection open. */
  silent?: boolean;
  /** Close without a byte. */
  close?: boolean;
  /** Wait before the answer. */
  delayMs?: number;
  status?: number;
  body?: string;
  /** Status line and header lines instead of the right ones; `{{length}}` stands for the length of the body. */
  head?: string[];
  /** Bytes after the body, not counted in its length. */
  extra?: string;
  /** The whole answer. */
  raw?: string;
  /** Send so many bytes, wait `gapMs`, then the rest, or close. */
  splitAt?: number;
  gapMs?: number;
  closeAfterSplit?: boolean;
  /** Do not close after the answer. */
  keepOpen?: boolean;
}

export type Order =
  | { readonly kind: 'listen'; readonly socketPath: string; readonly keys: readonly KeyFile[] }
  | { readonly kind: 'behave'; readonly behaviours: readonly Behaviour[]; readonly maxConnections?: number }
  /** Refuses the operations of a key as if it were deleted; its parameters are still told. */
  | { readonly kind: 'delete'; readonly name: string }
  | { readonly kind: 'take' };

/** A request as it arrived. */
export interface Recorded {
  readonly line: string;
  readonly method: string;
  /** The path without the query. */
  readonly path: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** The sizes of the pieces in which it arrived. */
  readonly writes: readonly number[];
}

export type Report =
  | { readonly kind: 'done' }
  | { readonly kind: 'journal'; readonly requests: readonly Recorded[]; readonly closedWithoutAnswer: number };
