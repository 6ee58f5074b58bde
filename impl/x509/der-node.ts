/** One element of a decoded structure: its tag, its children when constructed, its exact bytes. */
export interface DerNode {
  /** First identifier octet (class, constructed bit, number below 31). */
  readonly tag: number;
  /** Whole element with header, exactly as received. */
  readonly raw: Uint8Array;
  /** Content octets. */
  readonly content: Uint8Array;
  readonly children: readonly DerNode[];
}
