import { type Clock, causeChain, type Logger } from '../process/index.ts';
import { readWrappedKey, type WrappedKey } from './blob.ts';
import { type Handle, RESPONSES } from './constants.ts';
import type { LoadedObjects } from './loaded.ts';
import { handleText } from './primary-keys.ts';
import { checkAuthKey, isKeyedHash } from './public-area.ts';
import type { Tpm } from './tpm.ts';
import { LinkError, TpmError, UnusableObject } from './tpm-error.ts';

/** The largest piece that is given to the TPM at once: what every TPM takes (TPM2_MAX_DIGEST_BUFFER). */
const PIECE_BYTES = 1024;
const SIZE_BYTES = 2;
const NONCE_BYTES = 32;
/** What a new key signs to prove that it can. */
const PROBE = Buffer.alloc(32);
/** Pauses between attempts to put the new key where the old one was, once that is gone. */
const PERSIST_PAUSES_MS = [50, 250, 1000];

/** What the auth key is worked on with. */
export interface AuthKeyTools {
  readonly tpm: Tpm;
  readonly loaded: LoadedObjects;
  /** The persistent handle of the key. */
  readonly slot: Handle;
  readonly log: Logger;
  readonly clock: Clock;
  /** `size` random bytes. */
  readonly random: (size: number) => Buffer;
}

/** The one HMAC key that DPS gave, persistent in the TPM (spec/tpm-service.md 4, 5). One operation at a time. */
export class AuthKey {
  readonly #tools: AuthKeyTools;
  /** What was last known of the slot. */
  #known: 'present' | 'absent' | 'unknown' = 'unknown';

  constructor(tools: AuthKeyTools) {
    this.#tools = tools;
  }

  /** Looks for the key of an earlier run. Rejects with LinkError. */
  async find(): Promise<void> {
    const { slot, log } = this.#tools;
    const publicArea = await this.#readSlot();
    this.#known = publicArea ? 'present' : 'absent';
    const wrong = publicArea && isKeyedHash(publicArea.subarray(SIZE_BYTES));
    if (wrong) log.error(`the object at ${handleText(slot)} is no auth key: ${wrong}; set another auth_key_index`);
  }

  /**
   * Imports a wrapped key and puts it in the place of the present one, which goes only once the new one has signed. Rejects with
   * MarshalError, UnusableObject, TpmError or LinkError; the present key stays.
   */
  async import(blob: Buffer): Promise<void> {
    const { tpm, loaded, slot, log, random } = this.#tools;
    const wrapped = readWrappedKey(blob);
    const wrong = checkAuthKey(wrapped.publicArea.subarray(SIZE_BYTES));
    if (wrong !== undefined) throw new UnusableObject(`the key that was sent cannot be the auth key: ${wrong}`);
    const occupant = await this.#occupant();
    if (!occupant && this.#known === 'present') {
      log.warn(`the previous auth key was removed from ${handleText(slot)} by somebody else`);
    }
    const session = await tpm.startPolicySession(random(NONCE_BYTES));
    try {
      const privateArea = await this.#unwrap(session, wrapped);
      await this.#install(privateArea, wrapped.publicArea, occupant);
    } finally {
      await loaded.unload({ kind: 'session', handle: session });
    }
  }

  /** HMAC-SHA256 of any amount of data. Rejects with UnusableObject where there is no key, TpmError or LinkError. */
  async sign(data: Buffer): Promise<Buffer> {
    const { tpm, slot } = this.#tools;
    if (this.#known === 'absent') {
      throw new UnusableObject(
        `there is no auth key at ${handleText(slot)}; it comes when DPS is asked for the device`,
      );
    }
    return data.length <= PIECE_BYTES ? tpm.hmac(slot, data) : this.#signPieces(data);
  }

  async #signPieces(data: Buffer): Promise<Buffer> {
    const { tpm, loaded, slot } = this.#tools;
    const sequence = await tpm.hmacStart(slot);
    try {
      let at = 0;
      for (; data.length - at > PIECE_BYTES; at += PIECE_BYTES) {
        await tpm.sequenceUpdate(sequence, data.subarray(at, at + PIECE_BYTES));
      }
      return await tpm.sequenceComplete(sequence, data.subarray(at));
    } catch (error) {
      await loaded.unload({ kind: 'sequence', handle: sequence });
      throw error;
    }
  }

  /** The private area of a wrapped key under the SRK; its inner key is opened by the EK under the policy session. */
  async #unwrap(session: Handle, wrapped: WrappedKey): Promise<Buffer> {
    const { tpm } = this.#tools;
    await tpm.policySecret(session);
    const innerKey = await tpm.activateCredential(session, wrapped.credential, wrapped.credentialSecret);
    const { publicArea, duplicate, duplicateSecret: secret } = wrapped;
    return tpm.import({ innerKey, publicArea, duplicate, secret });
  }

  /** Loads the new key, lets it sign, and makes it the auth key. */
  async #install(privateArea: Buffer, publicArea: Buffer, occupant: Buffer | undefined): Promise<void> {
    const { tpm, loaded } = this.#tools;
    const handle = await tpm.load(privateArea, publicArea);
    try {
      await tpm.hmac(handle, PROBE);
      await this.#replace(handle, publicArea, occupant);
    } finally {
      await loaded.unload({ kind: 'object', handle, publicArea });
    }
  }

  async #readSlot(): Promise<Buffer | undefined> {
    const { tpm, slot } = this.#tools;
    try {
      return await tpm.readPublic(slot);
    } catch (error) {
      if (error instanceof TpmError && error.code === RESPONSES.noSuchHandle) return undefined;
      throw error;
    }
  }

  /** The key that is in the slot now. Rejects with UnusableObject for an object that is not ours to remove. */
  async #occupant(): Promise<Buffer | undefined> {
    const publicArea = await this.#readSlot();
    const wrong = publicArea && isKeyedHash(publicArea.subarray(SIZE_BYTES));
    if (!wrong) return publicArea;
    const where = handleText(this.#tools.slot);
    throw new UnusableObject(`the object at ${where} is no auth key and is kept: ${wrong}; set another auth_key_index`);
  }

  /**
   * Puts the loaded key into the slot. A refusal to remove the old key ends it, with the old key in place. From then on there is no way
   * back, so a refusal to take the new one, or a lost answer, is met by trying again.
   */
  async #replace(handle: Handle, publicArea: Buffer, occupant: Buffer | undefined): Promise<void> {
    const { tpm, slot, log, clock } = this.#tools;
    let found = occupant;
    for (const pause of [...PERSIST_PAUSES_MS, undefined]) {
      try {
        if (found) await tpm.evictControl(slot, slot);
        found = undefined;
        this.#known = 'absent';
        await tpm.evictControl(handle, slot);
        this.#known = 'present';
        return;
      } catch (error) {
        const oldIsGone = occupant !== undefined && found === undefined;
        if (error instanceof LinkError) this.#known = 'unknown';
        if (pause === undefined || !(error instanceof LinkError || oldIsGone)) throw error;
        log.warn(
          `could not put the new auth key into ${handleText(slot)}, trying again: ${causeChain(error).join(': ')}`,
        );
        await clock.sleep(pause);
        found = await this.#occupant();
        // the attempt whose answer was lost may have succeeded
        if (found?.equals(publicArea) && !occupant?.equals(publicArea)) {
          this.#known = 'present';
          return;
        }
      }
    }
  }
}
