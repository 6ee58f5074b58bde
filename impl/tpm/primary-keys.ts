import { causeChain, type Logger } from '../process/index.ts';
import { HANDLES, type Handle, RESPONSES } from './constants.ts';
import type { LoadedObjects } from './loaded.ts';
import { checkEndorsementKey, checkStorageRootKey, type PublicCheck } from './public-area.ts';
import { ENDORSEMENT_TEMPLATE, STORAGE_ROOT_TEMPLATE } from './templates.ts';
import type { Tpm } from './tpm.ts';
import { TpmError, UnusableObject } from './tpm-error.ts';

interface PrimaryKey {
  readonly name: string;
  readonly handle: Handle;
  readonly hierarchy: 'owner' | 'endorsement';
  readonly template: Buffer;
  readonly check: PublicCheck;
}

const ENDORSEMENT_KEY: PrimaryKey = {
  name: 'endorsement key',
  handle: HANDLES.endorsementKey,
  hierarchy: 'endorsement',
  template: ENDORSEMENT_TEMPLATE,
  check: checkEndorsementKey,
};
const STORAGE_ROOT_KEY: PrimaryKey = {
  name: 'storage root key',
  handle: HANDLES.storageRootKey,
  hierarchy: 'owner',
  template: STORAGE_ROOT_TEMPLATE,
  check: checkStorageRootKey,
};

const SIZE_BYTES = 2;

/** The keys that DPS is shown: TPM2B_PUBLIC each. */
export interface TpmKeys {
  readonly endorsementKey: Buffer;
  readonly storageRootKey: Buffer;
}

/** A handle as messages name it. */
export const handleText = (handle: Handle): string => `0x${handle.toString(16).padStart(8, '0')}`;

/** Why an object at a handle is not the key that belongs there, and what to do; undefined: it is. */
function complaint({ name, handle, check }: PrimaryKey, publicArea: Buffer): string | undefined {
  const wrong = check(publicArea.subarray(SIZE_BYTES));
  if (wrong === undefined) return undefined;
  return `the object at ${handleText(handle)} is not an ${name === 'endorsement key' ? 'endorsement key' : 'SRK'} that DPS can use: ${wrong}; remove it (tpm2_evictcontrol -c ${handleText(handle)}) and restart aziot-tpmd`;
}

/** The endorsement key and the storage root key, persistent at their handles (spec/tpm-service.md 3). */
export class PrimaryKeys {
  readonly #tpm: Tpm;
  readonly #loaded: LoadedObjects;
  readonly #log: Logger;

  constructor(tpm: Tpm, loaded: LoadedObjects, log: Logger) {
    this.#tpm = tpm;
    this.#loaded = loaded;
    this.#log = log;
  }

  /** Makes what is missing. Rejects with TpmError or LinkError. A foreign object is reported and left alone. */
  async ensure(): Promise<void> {
    await this.#ensure(ENDORSEMENT_KEY);
    await this.#ensure(STORAGE_ROOT_KEY);
  }

  /** Reads both from the TPM. Rejects with UnusableObject for a foreign object, TpmError or LinkError. */
  async read(): Promise<TpmKeys> {
    const endorsementKey = await this.#read(ENDORSEMENT_KEY);
    return { endorsementKey, storageRootKey: await this.#read(STORAGE_ROOT_KEY) };
  }

  async #read(key: PrimaryKey): Promise<Buffer> {
    const publicArea = await this.#tpm.readPublic(key.handle).catch((cause: unknown) => {
      if (!(cause instanceof TpmError) || cause.code !== RESPONSES.noSuchHandle) throw cause;
      const gone = `the ${key.name} is no longer at ${handleText(key.handle)}; restart aziot-tpmd, which makes it again`;
      throw new UnusableObject(gone, { cause });
    });
    const wrong = complaint(key, publicArea);
    if (wrong !== undefined) throw new UnusableObject(wrong);
    return publicArea;
  }

  async #ensure(key: PrimaryKey): Promise<void> {
    try {
      const wrong = complaint(key, await this.#tpm.readPublic(key.handle));
      if (wrong !== undefined) this.#log.error(wrong);
    } catch (error) {
      if (!(error instanceof TpmError)) throw error;
      const why = causeChain(error).join(': ');
      this.#log.error(`could not read ${key.name} from ${handleText(key.handle)}: ${why}`);
      await this.#make(key);
    }
  }

  async #make({ hierarchy, template, handle: persistent }: PrimaryKey): Promise<void> {
    const { handle, publicArea } = await this.#tpm.createPrimary(hierarchy, template);
    try {
      await this.#tpm.evictControl(handle, persistent);
    } finally {
      await this.#loaded.unload({ kind: 'object', handle, publicArea });
    }
  }
}
