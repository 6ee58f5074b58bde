import type { KeydClient, KeyHandle } from '../clients/index.ts';
import type { ModuleKeys } from '../cloud/index.ts';
import { ClientError, internalError, ServiceError } from '../ipc/index.ts';
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
  const master = () => memo.get('master', () => masterKey(keyd));

  function derived(module: KeyedModule, slot: Slot): Promise<KeyHandle> {
    return memo.get(`${slot} ${module.moduleId}\n${module.generationId}`, () =>
      guarded(async () => keyd.createDerivedKey(await master(), derivationData(module, slot))),
    );
  }
  const exportBase64 = async (module: KeyedModule, slot: Slot) =>
    (await keyd.exportDerivedKey(await derived(module, slot))).toString('base64');
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      if (cause instanceof ServiceError) throw cause;
      throw internalError(new Error('master identity key error', { cause }));
    }
  };
  return {
    handle: (module) => derived(module, 'primary'),
    exported: (module) =>
      guarded(async () => {
        const [primary, secondary] = await Promise.all([
          exportBase64(module, 'primary'),
          exportBase64(module, 'secondary'),
        ]);
        return { primary, secondary };
      }),
  };
}
