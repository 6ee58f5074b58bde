import { type Clock, causeChain, type Logger } from '../process/index.ts';
import { type Handle, RESPONSES, toHandle } from './constants.ts';
import { handleText } from './primary-keys.ts';
import { isKeyedHash } from './public-area.ts';
import type { Tpm } from './tpm.ts';
import { LinkError, TpmError, UnusableObject } from './tpm-error.ts';

const SIZE_BYTES = 2;
/** Between the place of the auth key and its spare place: far from where anybody else keeps keys. */
const TO_SPARE = 0x40_0000;
/** Pauses between attempts to put the new key where the old one was, once that is gone and there is no spare place. */
const PERSIST_PAUSES_MS = [50, 250, 1000];

/** What the places are worked on with. */
interface PlaceTools {
  readonly tpm: Tpm;
  /** The persistent handle of the key. */
  readonly slot: Handle;
  readonly log: Logger;
  readonly clock: Clock;
}

/** Public areas of what is in both places, TPM2B_PUBLIC; undefined: nothing. */
export interface Present {
  readonly slot: Buffer | undefined;
  readonly spare: Buffer | undefined;
}

/** Why an object is no auth key; undefined: it may be one. */
const complaintOf = (publicArea: Buffer): string | undefined => isKeyedHash(publicArea.subarray(SIZE_BYTES));
const textOf = (error: unknown): string => causeChain(error).join(': ');

/**
 * Where the auth key is persistent. A new key goes to a spare place first, then the old one goes, then the new one comes to its own place
 * and leaves the spare one: whatever fails or is cut off in between, there is a key. (The TPM moves no persistent object, so a key that
 * was left in the spare place is used there.)
 */
export class KeyPlaces {
  readonly #tools: PlaceTools;
  readonly #spare: Handle;
  /** Where the key was last known to be. */
  #current: Handle | 'absent' | 'unknown' = 'unknown';

  constructor(tools: PlaceTools) {
    this.#tools = tools;
    this.#spare = toHandle(tools.slot ^ TO_SPARE);
  }

  /** Looks for the key of an earlier run. Rejects with LinkError. */
  async find(): Promise<void> {
    const { slot, log } = this.#tools;
    const publicArea = await this.#read(slot);
    if (publicArea) {
      this.#current = slot;
      const wrong = complaintOf(publicArea);
      if (wrong) log.error(`the object at ${handleText(slot)} is no auth key: ${wrong}; set another auth_key_index`);
      return;
    }
    const spare = await this.#read(this.#spare);
    this.#current = spare && !complaintOf(spare) ? this.#spare : 'absent';
    if (this.#current === this.#spare) {
      log.warn(`an import was cut off: the auth key is at ${handleText(this.#spare)} until the next import`);
    }
  }

  /** The handle to sign with; undefined where there is no key. Asks the TPM where a lost answer leaves it open. Rejects with LinkError. */
  async current(): Promise<Handle | undefined> {
    if (this.#current === 'unknown') await this.find();
    return this.#current === 'absent' || this.#current === 'unknown' ? undefined : this.#current;
  }

  /** What is in both places now. Rejects with UnusableObject for an object that is not ours to remove. */
  async look(): Promise<Present> {
    const { slot, log } = this.#tools;
    const publicArea = await this.#read(slot);
    const wrong = publicArea && complaintOf(publicArea);
    if (wrong) {
      const where = handleText(slot);
      throw new UnusableObject(
        `the object at ${where} is no auth key and is kept: ${wrong}; set another auth_key_index`,
      );
    }
    if (!publicArea && this.#current === slot) {
      log.warn(`the previous auth key was removed from ${handleText(slot)} by somebody else`);
    }
    return { slot: publicArea, spare: await this.#read(this.#spare) };
  }

  /** Makes a loaded key the auth key. Rejects with TpmError or LinkError; there is a key then, the old one or the new one. */
  async put(handle: Handle, publicArea: Buffer, { slot: old, spare }: Present): Promise<void> {
    const { tpm, slot, log } = this.#tools;
    const foreign = spare !== undefined && complaintOf(spare) !== undefined;
    if (!old) {
      await this.#change(() => tpm.evictControl(handle, slot));
      this.#current = slot;
      if (spare && !foreign) await this.#clearSpare();
      return;
    }
    const why = foreign
      ? `somebody else's object is at ${handleText(this.#spare)}`
      : await this.#toSpare(handle, spare);
    if (why === undefined) return this.#throughSpare(handle);
    log.warn(`the old auth key goes before the new one is persistent: ${why}`);
    return this.#inPlace(handle, publicArea, old);
  }

  /** Puts the key into the spare place. Gives why that cannot be; rejects where nothing else can be done either. */
  async #toSpare(handle: Handle, leftover: Buffer | undefined): Promise<string | undefined> {
    const { tpm } = this.#tools;
    try {
      if (leftover) await tpm.evictControl(this.#spare, this.#spare);
      await tpm.evictControl(handle, this.#spare);
      return undefined;
    } catch (error) {
      if (error instanceof TpmError && error.code === RESPONSES.nvSpace) return textOf(error);
      throw error;
    }
  }

  /** Goes on when the key is in the spare place. A refusal to remove the old key ends it, with the old key in place. */
  async #throughSpare(handle: Handle): Promise<void> {
    const { tpm, slot, log } = this.#tools;
    try {
      await this.#change(() => tpm.evictControl(slot, slot));
    } catch (error) {
      if (error instanceof TpmError) await this.#clearSpare();
      throw error;
    }
    this.#current = this.#spare;
    try {
      await this.#change(() => tpm.evictControl(handle, slot));
    } catch (error) {
      log.warn(`the new auth key stays at ${handleText(this.#spare)} until the next import: ${textOf(error)}`);
      return;
    }
    this.#current = slot;
    await this.#clearSpare();
  }

  /** Runs a command after whose lost answer nobody knows where the key is. */
  async #change(command: () => Promise<void>): Promise<void> {
    try {
      await command();
    } catch (error) {
      if (error instanceof LinkError) this.#current = 'unknown';
      throw error;
    }
  }

  /** What cannot be removed now is removed by the next import. */
  async #clearSpare(): Promise<void> {
    try {
      await this.#tools.tpm.evictControl(this.#spare, this.#spare);
    } catch (error) {
      this.#tools.log.warn(`could not remove the copy at ${handleText(this.#spare)}: ${textOf(error)}`);
    }
  }

  /**
   * Without a spare place: removes the old key, then puts the new one there. From then on there is no way back, so a refusal to take the
   * new one, or a lost answer, is met by trying again.
   */
  async #inPlace(handle: Handle, publicArea: Buffer, old: Buffer): Promise<void> {
    const { tpm, slot, log, clock } = this.#tools;
    let found: Buffer | undefined = old;
    for (const pause of [...PERSIST_PAUSES_MS, undefined]) {
      try {
        if (found) await this.#change(() => tpm.evictControl(slot, slot));
        found = undefined;
        this.#current = 'absent';
        await this.#change(() => tpm.evictControl(handle, slot));
        this.#current = slot;
        return;
      } catch (error) {
        const oldIsGone = found === undefined;
        if (pause === undefined || !(error instanceof LinkError || oldIsGone)) throw error;
        log.warn(`could not put the new auth key into ${handleText(slot)}, trying again: ${textOf(error)}`);
        await clock.sleep(pause);
        found = (await this.look()).slot;
        // the attempt whose answer was lost may have succeeded
        if (found?.equals(publicArea) && !old.equals(publicArea)) {
          this.#current = slot;
          return;
        }
      }
    }
  }

  async #read(handle: Handle): Promise<Buffer | undefined> {
    try {
      return await this.#tools.tpm.readPublic(handle);
    } catch (error) {
      if (error instanceof TpmError && error.code === RESPONSES.noSuchHandle) return undefined;
      throw error;
    }
  }
}
