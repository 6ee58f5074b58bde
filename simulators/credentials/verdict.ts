/** What a check of a credential found: how it was matched, or why not. The reason is for a journal, never for the caller. */
export type Verdict = { verified: true; by: string } | { verified: false; reason: string };

/** The verdict of a credential that proves nothing. */
export function refused(reason: string): { verified: false; reason: string } {
  return { verified: false, reason };
}
