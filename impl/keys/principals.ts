import { matchesIdPattern, ROOT, type Uid } from '../ipc/index.ts';
import { HANDLE_VALIDATION_KEY, MASTER_ID } from './key-id.ts';

/** One `[[principal]]` block: a Unix uid and the patterns of the key ids that it may use. */
export interface Principal {
  readonly uid: number;
  readonly keys: readonly string[];
}

/** Who may use which key id (spec/keys-service.md 4). */
export class Principals {
  readonly #patterns = new Map<number, readonly string[]>();
  /** Uids that name the id of identityd's master key literally. */
  readonly #masters: ReadonlySet<number>;
  /** What an operator should mend, one line each. */
  readonly warnings: readonly string[];

  /** Blocks of one uid add up, whichever file they come from. */
  constructor(blocks: readonly Principal[]) {
    for (const { uid, keys } of blocks) this.#patterns.set(uid, [...(this.#patterns.get(uid) ?? []), ...keys]);
    this.#masters = new Set([...this.#patterns].filter(([, keys]) => keys.includes(MASTER_ID)).map(([uid]) => uid));
    this.warnings = this.#complaints();
  }

  /**
   * Root may use every key, everybody else those that a pattern covers; the key that signs handles is nobody's. identityd's master key is
   * for those that name it literally: a wildcard counts only as long as nobody does.
   */
  allows(uid: Uid, keyId: string): boolean {
    if (keyId === HANDLE_VALIDATION_KEY) return false;
    if (uid === ROOT) return true;
    if (keyId === MASTER_ID && this.#masters.size > 0) return this.#masters.has(uid);
    return this.#covers(uid, keyId);
  }

  #covers(uid: number, keyId: string): boolean {
    return (this.#patterns.get(uid) ?? []).some((pattern) => matchesIdPattern(pattern, keyId));
  }

  #complaints(): string[] {
    const byWildcard = [...this.#patterns.keys()].filter(
      (uid) => !this.#masters.has(uid) && this.#covers(uid, MASTER_ID),
    );
    return byWildcard.map((uid) =>
      this.#masters.size > 0
        ? `the keys of principal ${uid} cover "${MASTER_ID}" by a wildcard, which does not count, as another principal names that id`
        : `the keys of principal ${uid} cover "${MASTER_ID}" by a wildcard; name that id in the [[principal]] of identityd, and it is for that one alone`,
    );
  }
}
