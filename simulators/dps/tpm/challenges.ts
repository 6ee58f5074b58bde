import { randomBytes } from 'node:crypto';
import type { StateStore } from '../../common/index.ts';
import { type WrapTarget, wrapKeyForTpm } from './wrapped-key.ts';

const TABLE = 'tpm-challenges';
const KEY_BYTES = 32;

/** The keys that a device shows in its registration, base64 of TPM2B_PUBLIC. */
export interface ShownTpm {
  readonly endorsementKey: string;
  readonly storageRootKey: string;
}

/** The last challenge of a registration: the key that the device got, base64, and the TPM it was wrapped for. */
export interface Challenge {
  readonly nonceKey: string;
  readonly shown: ShownTpm;
}

/** A key as the service keeps it, and as only that TPM can take it, base64 both. */
export interface WrappedKey {
  readonly key: string;
  readonly authenticationKey: string;
}

function targetOf({ endorsementKey, storageRootKey }: ShownTpm): WrapTarget {
  return {
    endorsementKey: Buffer.from(endorsementKey, 'base64'),
    storageRootKey: Buffer.from(storageRootKey, 'base64'),
  };
}

/** A fresh key for a TPM. @throws TypeError when a shown key is not RSA-2048 as the service needs it */
export function freshKeyFor(shown: ShownTpm): WrappedKey {
  const key = randomBytes(KEY_BYTES);
  return { key: key.toString('base64'), authenticationKey: wrapKeyForTpm(targetOf(shown), key).toString('base64') };
}

/** The challenges of one scope; a new one of a registration takes the place of the last. */
export class TpmChallenges {
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** Makes a challenge; gives what the device is sent. @throws TypeError as {@link freshKeyFor} */
  issue(registrationId: string, shown: ShownTpm): string {
    const { key, authenticationKey } = freshKeyFor(shown);
    const challenge: Challenge = { nonceKey: key, shown };
    this.#store.put(TABLE, registrationId.toLowerCase(), challenge);
    return authenticationKey;
  }

  last(registrationId: string): Challenge | undefined {
    return this.#store.get<Challenge>(TABLE, registrationId.toLowerCase());
  }
}
