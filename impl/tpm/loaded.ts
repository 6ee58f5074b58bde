import type { Logger } from '../process/index.ts';
import { causeChain } from '../process/index.ts';
import type { Handle } from './constants.ts';
import { ENDORSEMENT_POLICY } from './templates.ts';
import type { Tpm } from './tpm.ts';
import { LinkError, TpmError } from './tpm-error.ts';

/** Something in the TPM that has to be unloaded, and how it is known again after the way to the TPM was lost. */
export type Loaded =
  | { readonly kind: 'object'; readonly handle: Handle; readonly publicArea: Buffer }
  | { readonly kind: 'sequence'; readonly handle: Handle }
  | { readonly kind: 'session'; readonly handle: Handle };

/** TPM_RC_SEQUENCE: what ReadPublic answers for a sequence. */
const IS_SEQUENCE = 0x103;
const NOTHING_YET = Buffer.alloc(32);

/**
 * Sees to it that nothing of ours stays loaded. What cannot be unloaded, since the way to the TPM is lost, is unloaded before the next
 * operation: if it is still ours by then, for a TPM that was restarted may have given its handle to somebody else.
 */
export class LoadedObjects {
  readonly #tpm: Tpm;
  readonly #log: Logger;
  #owed: Loaded[] = [];

  constructor(tpm: Tpm, log: Logger) {
    this.#tpm = tpm;
    this.#log = log;
  }

  /** Never rejects: the outcome of an operation does not hang on its tidying up. */
  async unload(loaded: Loaded): Promise<void> {
    try {
      await this.#tpm.flush(loaded.handle);
    } catch (error) {
      if (error instanceof LinkError) this.#owed.push(loaded);
      this.#log.warn(`could not unload 0x${loaded.handle.toString(16)}: ${causeChain(error).join(': ')}`);
    }
  }

  /** Unloads what an earlier operation had to leave. Rejects with LinkError where the TPM is still away. */
  async settle(): Promise<void> {
    while (this.#owed[0]) {
      const loaded = this.#owed[0];
      try {
        if (await this.#isOurs(loaded)) await this.#tpm.flush(loaded.handle);
      } catch (error) {
        if (!(error instanceof TpmError)) throw error;
        // nothing is there any more
      }
      this.#owed = this.#owed.slice(1);
    }
  }

  async #isOurs(loaded: Loaded): Promise<boolean> {
    switch (loaded.kind) {
      case 'object':
        return (await this.#tpm.readPublic(loaded.handle)).equals(loaded.publicArea);
      case 'session': {
        const digest = await this.#tpm.policyDigest(loaded.handle);
        return digest.equals(ENDORSEMENT_POLICY) || digest.equals(NOTHING_YET);
      }
      case 'sequence':
        try {
          await this.#tpm.readPublic(loaded.handle);
          return false;
        } catch (error) {
          if (error instanceof TpmError && (error.code & 0x1ff) === IS_SEQUENCE) return true;
          throw error;
        }
    }
  }
}
