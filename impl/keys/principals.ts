import { matchesIdPattern, ROOT, type Uid } from '../ipc/index.ts';
import { HANDLE_VALIDATION_KEY } from './key-id.ts';

/** One `[[principal]]` block: a Unix uid and the patterns of the key ids that it may use. */
export interface Principal {
  readonly uid: number;
  readonly keys: readonly string[];
}

/** Who may use which key id (spec/keys-service.md 4). */
export class Principals {
  readonly #patterns = new Map<number, readonly string[]>();

  /** Blocks of one uid add up, whichever file they come from. */
  constructor(blocks: readonly Principal[]) {
    for (const { uid, keys } of blocks) this.#patterns.set(uid, [...(this.#patterns.get(uid) ?? []), ...keys]);
  }

  /** Root may use every key, everybody else those that a pattern covers; the key that signs handles is nobody's. */
  allows(uid: Uid, keyId: string): boolean {
    if (keyId === HANDLE_VALIDATION_KEY) return false;
    if (uid === ROOT) return true;
    return (this.#patterns.get(uid) ?? []).some((pattern) => matchesIdPattern(pattern, keyId));
  }
}
