import { type Clock, causeChain, type Logger } from '../process/index.ts';
import { AuthKey } from './auth-key.ts';
import type { Authorisation } from './command.ts';
import { TpmLink } from './link.ts';
import { LoadedObjects } from './loaded.ts';
import { PrimaryKeys, type TpmKeys } from './primary-keys.ts';
import type { TpmdSettings } from './settings.ts';
import type { OpenTcti } from './tcti.ts';
import { Tpm } from './tpm.ts';
import { Turns } from './turns.ts';

/** What the service is made of beside its settings. */
export interface TpmServiceTools {
  readonly open: OpenTcti;
  readonly clock: Clock;
  readonly log: Logger;
  readonly random: (size: number) => Buffer;
  /** How long one command may take; for tests. */
  readonly deadlineMs?: number;
}

/** With the NUL that the reference sends: a TPM drops trailing zeros, so the value is the same. */
function hierarchyPassword(value: Buffer): Authorisation {
  return { kind: 'password', password: Buffer.concat([value, Buffer.alloc(1)]) };
}

/** The three operations of tpmd on one TPM, one at a time in the order in which they were asked for. */
export class TpmService {
  readonly #link: TpmLink;
  readonly #loaded: LoadedObjects;
  readonly #primaryKeys: PrimaryKeys;
  readonly #authKey: AuthKey;
  readonly #turns = new Turns();

  constructor(settings: TpmdSettings, { open, clock, log, random, deadlineMs }: TpmServiceTools) {
    const limit = deadlineMs === undefined ? {} : { deadlineMs };
    this.#link = new TpmLink({ tcti: settings.tcti, open, clock, ...limit });
    const tpm = new Tpm(this.#link, {
      owner: hierarchyPassword(settings.ownerAuth),
      endorsement: hierarchyPassword(settings.endorsementAuth),
    });
    this.#loaded = new LoadedObjects(tpm, log);
    this.#primaryKeys = new PrimaryKeys(tpm, this.#loaded, log);
    this.#authKey = new AuthKey({ tpm, loaded: this.#loaded, slot: settings.slot, log, clock, random });
  }

  /** Opens the TPM, makes EK and SRK where they are missing, looks for an auth key. Rejects with what stands in the way. */
  async initialize(): Promise<void> {
    try {
      await this.#primaryKeys.ensure();
      await this.#authKey.find();
    } catch (cause) {
      await this.close();
      throw new Error('could not initialize TPM', { cause });
    }
  }

  /** EK and SRK, read from the TPM at each call. */
  keys(): Promise<TpmKeys> {
    return this.#run('could not get TPM keys', () => this.#primaryKeys.read());
  }

  importAuthKey(blob: Buffer): Promise<void> {
    return this.#run('could not import auth key', () => this.#authKey.import(blob));
  }

  signWithAuthKey(data: Buffer): Promise<Buffer> {
    return this.#run('could not sign with auth key', () => this.#authKey.sign(data));
  }

  /** Ends the way to the TPM once the operations under way have ended. */
  close(): Promise<void> {
    return this.#turns.take(() => this.#link.close());
  }

  async #run<T>(failure: string, operation: () => Promise<T>): Promise<T> {
    try {
      return await this.#turns.take(async () => {
        await this.#loaded.settle();
        return operation();
      });
    } catch (cause) {
      throw new Error(failure, { cause: new Error(causeChain(cause).join(': ')) });
    }
  }
}
