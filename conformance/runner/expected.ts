import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

/** A difference that an implementation has on purpose. */
export interface ExpectedDifference {
  /** Id of a case (`TR-041/keyd`), or of a requirement, for all its cases. */
  readonly id: string;
  /** Why it is so, in a sentence. */
  readonly why: string;
  /** It shows in some runs only, as it hangs on the moment of a kill, say: a run without it does not make it stale. */
  readonly byChance?: true;
}

/**
 * Reads `{"differences": [{"id": …, "why": …}]}`; `"byChance": true` may be beside them.
 * @throws Error naming the file and what is wrong in it
 */
export async function loadExpected(path: string): Promise<ExpectedDifference[]> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw new Error(`${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const { differences } = value as { differences?: unknown };
  if (!Array.isArray(differences)) throw new Error(`${path} has no list "differences"`);
  return differences.map((entry: Partial<ExpectedDifference>, index) => {
    if (typeof entry.id !== 'string' || typeof entry.why !== 'string' || entry.why === '')
      throw new Error(`${path}: difference ${index + 1} needs "id" and "why", both texts`);
    const { id, why } = entry;
    return entry.byChance === true ? { id, why, byChance: true } : { id, why };
  });
}

/** What release 1.6.0 of the reference does otherwise, case by case, seen in a run of this suite against it. */
export const expectedOfRust = (): string =>
  fileURLToPath(new URL('../../fixtures/conformance/aziotd-rust-1.6.0.json', import.meta.url));

/** Whether an expected difference is about a case. */
export function isAbout(difference: ExpectedDifference, caseId: string): boolean {
  return difference.id === caseId || difference.id === caseId.split('/')[0];
}
