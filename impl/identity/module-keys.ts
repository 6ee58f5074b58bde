import type { KeydClient, KeyHandle } from '../clients/index.ts';
import type { ModuleKeys } from '../cloud/index.ts';
import { ClientError, internalError } from '../ipc/index.ts';
import type { Memo } from './memo.ts';

const MASTER_KEY_ID = 'aziot_identityd_master_id';

/** A module as far as its keys depend on it: both values as the hub spells them. */
export interface KeyedModule {
  readonly moduleId: string;
  readonly generationId: string;
}

type Slot = 'primary' | 'secondary';

/** What the keys of a module are derived from (spec/identity-service.md 5.1). */
function derivationData({ moduleId, generationId }: KeyedModule, slot: Slot): Buffer {
  return Buffer.from(`${moduleId}:${generationId}:${slot}`, 'utf8');
}

/** The keys of modules, derived inside keyd from one master key. Every call throws the 500 of an internal error. */
export interface ModuleKeyring {
  /** Handle of the primary key, which callers sign with. */
  handle(module: KeyedModule): Promise<KeyHandle>;
  /** Both keys in base64, for the hub. */
  exported(module: KeyedModule): Promise<ModuleKeys>;
}

async function masterKey(keyd: KeydClient): Promise<KeyHandle> {
  try {
    return await keyd.loadKey(MASTER_KEY_ID);
  } catch (error) {
    // An outage says nothing about the key; only a refusal may mean that it has yet to be made.
    if (!(error instanceof ClientError) || error.kind !== 'refused') throw error;
    return keyd.createKeyIfNotExists(MASTER_KEY_ID, ['derive', 'sign']);
  }
}

/** Makes the keyring over a keyd; `memo` keeps the handles of callers who come often. */
export function createModuleKeyring(keyd: KeydClient, memo: Memo<KeyHandle>): ModuleKeyring {
  async function derive(master: KeyHandle, module: KeyedModule, slot: Slot): Promise<KeyHandle> {
    return keyd.createDerivedKey(master, derivationData(module, slot));
  }
  async function exportBase64(master: KeyHandle, module: KeyedModule, slot: Slot): Promise<string> {
    return (await keyd.exportDerivedKey(await derive(master, module, slot))).toString('base64');
  }
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      throw internalError(new Error('master identity key error', { cause }));
    }
  };
  return {
    handle: (module) =>
      memo.get(JSON.stringify([module.moduleId, module.generationId]), () =>
        guarded(async () => derive(await masterKey(keyd), module, 'primary')),
      ),
    exported: (module) =>
      guarded(async () => {
        const master = await masterKey(keyd);
        const [primary, secondary] = await Promise.all([
          exportBase64(master, module, 'primary'),
          exportBase64(master, module, 'secondary'),
        ]);
        return { primary, secondary };
      }),
  };
}
