import type { Logger } from '../process/index.ts';
import { causeChain } from '../process/index.ts';
import { type Handle, POLICY_SESSION_TYPE } from './constants.ts';
import { ENDORSEMENT_POLICY } from './templates.ts';
import type { Tpm } from './tpm.ts';
import { LinkError, TpmError } from './tpm-error.ts';

/** Something that is loaded into the TPM, and how it is known again after the way to the TPM was lost. */
export type Kind =
  | { readonly kind: 'object'; readonly publicArea: Buffer }
  | { readonly kind: 'sequence' }
  | { readonly kind: 'session' };
/** The same with its handle. */
export type Loaded = Kind & { readonly handle: Handle };

/** What has to be unloaded yet; without a handle where the answer that would have told it was lost. */
type Owed = Kind & { readonly handle?: Handle };

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
  #owed: Owed[] = [];

  constructor(tpm: Tpm, log: Logger) {
    this.#tpm = tpm;
    this.#log = log;
  }

  /** Runs a command that loads something. Where its answer is lost, what it may have loaded is looked for before the next operation. */
  async load(kind: Kind, command: () => Promise<Handle>): Promise<Handle> {
    try {
      return await command();
    } catch (error) {
      if (error instanceof LinkError && error.sent === 'maybe') this.#owed.push(kind);
      throw error;
    }
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
      const owed = this.#owed[0];
      try {
        for (const handle of await this.#find(owed)) await this.#tpm.flush(handle);
      } catch (error) {
        if (!(error instanceof TpmError)) throw error;
        // nothing is there any more
      }
      this.#owed = this.#owed.slice(1);
    }
  }

  async #find(owed: Owed): Promise<readonly Handle[]> {
    if (owed.handle !== undefined) return (await this.#fits(owed, owed.handle)) ? [owed.handle] : [];
    const found: Handle[] = [];
    for (const handle of await this.#tpm.loaded(owed.kind === 'session' ? 'session' : 'transient')) {
      if (await this.#fits(owed, handle)) found.push(handle);
    }
    // the public area of an auth key is its own; sessions and sequences look alike, whoever loaded them
    if (owed.kind === 'object' || found.length <= 1) return found;
    this.#log.warn(`${found.length} of kind ${owed.kind} are loaded, one of them probably by aziot-tpmd; all are left`);
    return [];
  }

  /** Whether what is at a handle is of the kind, as far as can be told. Rejects with LinkError. */
  async #fits(owed: Owed, handle: Handle): Promise<boolean> {
    try {
      if (owed.kind === 'object') return (await this.#tpm.readPublic(handle)).equals(owed.publicArea);
      if (owed.kind === 'session') {
        if (handle >>> 24 !== POLICY_SESSION_TYPE) return false;
        const digest = await this.#tpm.policyDigest(handle);
        return digest.equals(NOTHING_YET) || (owed.handle !== undefined && digest.equals(ENDORSEMENT_POLICY));
      }
      await this.#tpm.readPublic(handle);
      return false;
    } catch (error) {
      if (!(error instanceof TpmError)) throw error;
      return owed.kind === 'sequence' && (error.code & 0x1ff) === IS_SEQUENCE;
    }
  }
}
