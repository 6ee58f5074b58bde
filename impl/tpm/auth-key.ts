import type { Clock, Logger } from '../process/index.ts';
import { readWrappedKey, type WrappedKey } from './blob.ts';
import type { Handle } from './constants.ts';
import { KeyPlaces } from './key-places.ts';
import type { LoadedObjects } from './loaded.ts';
import { handleText } from './primary-keys.ts';
import { checkAuthKey } from './public-area.ts';
import type { Tpm } from './tpm.ts';
import { UnusableObject } from './tpm-error.ts';

/** The largest piece that is given to the TPM at once: what every TPM takes (TPM2_MAX_DIGEST_BUFFER). */
const PIECE_BYTES = 1024;
const SIZE_BYTES = 2;
const NONCE_BYTES = 32;
/** What a new key signs to prove that it can. */
const PROBE = Buffer.alloc(32);

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
  readonly #places: KeyPlaces;

  constructor(tools: AuthKeyTools) {
    this.#tools = tools;
    this.#places = new KeyPlaces(tools);
  }

  /** Looks for the key of an earlier run. Rejects with LinkError. */
  find(): Promise<void> {
    return this.#places.find();
  }

  /**
   * Imports a wrapped key and puts it in the place of the present one, which goes only once the new one has signed. Rejects with
   * MarshalError, UnusableObject, TpmError or LinkError; the present key stays.
   */
  async import(blob: Buffer): Promise<void> {
    const { tpm, loaded, random } = this.#tools;
    const wrapped = readWrappedKey(blob);
    const wrong = checkAuthKey(wrapped.publicArea.subarray(SIZE_BYTES));
    if (wrong !== undefined) throw new UnusableObject(`the key that was sent cannot be the auth key: ${wrong}`);
    const present = await this.#places.look();
    const session = await loaded.load({ kind: 'session' }, () => tpm.startPolicySession(random(NONCE_BYTES)));
    try {
      const privateArea = await this.#unwrap(session, wrapped);
      await this.#prove(privateArea, wrapped.publicArea, (handle) =>
        this.#places.put(handle, wrapped.publicArea, present),
      );
    } finally {
      await loaded.unload({ kind: 'session', handle: session });
    }
  }

  /** HMAC-SHA256 of any amount of data. Rejects with UnusableObject where there is no key, TpmError or LinkError. */
  async sign(data: Buffer): Promise<Buffer> {
    const key = await this.#places.current();
    if (key === undefined) {
      throw new UnusableObject(
        `there is no auth key at ${handleText(this.#tools.slot)}; it comes when DPS is asked for the device`,
      );
    }
    return data.length <= PIECE_BYTES ? this.#tools.tpm.hmac(key, data) : this.#signPieces(key, data);
  }

  async #signPieces(key: Handle, data: Buffer): Promise<Buffer> {
    const { tpm, loaded } = this.#tools;
    const sequence = await loaded.load({ kind: 'sequence' }, () => tpm.hmacStart(key));
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

  /** Loads the new key, lets it sign, and only then hands it on. */
  async #prove(privateArea: Buffer, publicArea: Buffer, use: (handle: Handle) => Promise<void>): Promise<void> {
    const { tpm, loaded } = this.#tools;
    const handle = await loaded.load({ kind: 'object', publicArea }, () => tpm.load(privateArea, publicArea));
    try {
      await tpm.hmac(handle, PROBE);
      await use(handle);
    } finally {
      await loaded.unload({ kind: 'object', handle, publicArea });
    }
  }
}
