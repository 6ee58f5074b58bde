import { CloudError, type HubClient, type HubModule, meansOffline } from '../cloud/index.ts';
import { ServiceError } from '../ipc/index.ts';
import type { Logger } from '../process/index.ts';
import type { Device } from './device.ts';
import { hubFailed } from './failures.ts';
import { type AziotIdentity, moduleIdentity } from './identity-shape.ts';
import type { ModuleCache } from './module-cache.ts';
import type { KeyedModule, ModuleKeyring } from './module-keys.ts';

/** What module operations work with. */
export interface ModuleTools {
  readonly hubFor: (device: Device) => Promise<HubClient>;
  readonly cache: ModuleCache;
  readonly keyring: ModuleKeyring;
  readonly log: Logger;
}

/** The modules of a device in the hub (spec/identity-service.md 5.2, 6). Calls throw ServiceError. */
export interface Modules {
  get(device: Device, moduleId: string, preference: 'hub-first' | 'cache-first'): Promise<AziotIdentity>;
  list(device: Device, preference: 'hub-first' | 'cache-first'): Promise<AziotIdentity[]>;
  create(device: Device, moduleId: string): Promise<AziotIdentity>;
  update(device: Device, moduleId: string): Promise<AziotIdentity>;
  remove(device: Device, moduleId: string): Promise<void>;
  /** The hub's list, which the cache follows; never from the cache. */
  listFromHub(device: Device): Promise<HubModule[]>;
}

/** The record's id and generation. Throws the 400 of a record without generation id. */
function keyed(module: HubModule): KeyedModule {
  if (module.generationId === undefined) throw new ServiceError('module-not-found');
  return { moduleId: module.moduleId, generationId: module.generationId };
}

/** 404 of one module; a device that the hub does not know is another matter. */
function isModuleMissing(error: unknown): boolean {
  return error instanceof CloudError && error.failure === 'not-found' && !error.message.includes('DeviceNotFound');
}

/** Makes the operations. Modules whose creation was cut off are finished when they are asked for again. */
export function createModules({ hubFor, cache, keyring, log }: ModuleTools): Modules {
  const halfMade = new Set<string>();
  const nameOf = (device: Device, moduleId: string) => JSON.stringify([device.hubName, device.deviceId, moduleId]);

  /** Runs an exchange with the hub; its failures become the 404. */
  async function asking<T>(device: Device, work: (hub: HubClient) => Promise<T>): Promise<T> {
    try {
      return await work(await hubFor(device));
    } catch (error) {
      throw hubFailed(error);
    }
  }

  async function withHandle(device: Device, module: HubModule): Promise<AziotIdentity> {
    return moduleIdentity(device, module, { type: 'sas', keyHandle: await keyring.handle(keyed(module)) });
  }

  async function assertKeys(device: Device, hub: HubClient, module: HubModule): Promise<AziotIdentity> {
    const keys = await keyring.exported(keyed(module));
    const updated = await hub.update(module.moduleId, keys);
    await cache.put(device, updated);
    return withHandle(device, updated);
  }

  async function read(device: Device, moduleId: string): Promise<HubModule> {
    try {
      const module = await (await hubFor(device)).get(moduleId);
      await cache.put(device, module);
      return module;
    } catch (error) {
      if (isModuleMissing(error)) {
        await cache.remove(device, moduleId);
        throw new ServiceError('hub-failed', { reasons: [`module ${moduleId} not found`], cause: error });
      }
      const kept = meansOffline(error) ? await cache.get(device, moduleId) : undefined;
      if (!kept) throw hubFailed(error);
      log.warn(`The hub cannot be asked about module "${moduleId}"; using what it said last.`);
      return kept;
    }
  }

  async function listFromHub(device: Device): Promise<HubModule[]> {
    const modules = await (await hubFor(device)).list();
    await cache.putAll(device, modules);
    return modules;
  }

  async function listAll(device: Device): Promise<HubModule[]> {
    try {
      return await listFromHub(device);
    } catch (error) {
      const kept = meansOffline(error) ? await cache.list(device) : undefined;
      if (!kept) throw hubFailed(error);
      log.warn('The hub cannot be asked for its modules; using what it said last.');
      return kept;
    }
  }

  async function beginCreation(device: Device, hub: HubClient, moduleId: string): Promise<HubModule> {
    const name = nameOf(device, moduleId);
    try {
      const module = await hub.create(moduleId);
      halfMade.add(name);
      return module;
    } catch (error) {
      const ours = halfMade.has(name) && error instanceof CloudError && error.failure === 'conflict';
      if (!ours) throw error;
      return hub.get(moduleId);
    }
  }

  return {
    async get(device, moduleId, preference) {
      const cached = preference === 'cache-first' ? await cache.get(device, moduleId) : undefined;
      return withHandle(device, cached ?? (await read(device, moduleId)));
    },
    async list(device, preference) {
      const cached = preference === 'cache-first' ? await cache.list(device) : undefined;
      return (cached ?? (await listAll(device))).map((module) => moduleIdentity(device, module, undefined));
    },
    create: (device, moduleId) =>
      asking(device, async (hub) => {
        const identity = await assertKeys(device, hub, await beginCreation(device, hub, moduleId));
        halfMade.delete(nameOf(device, moduleId));
        return identity;
      }),
    update: (device, moduleId) => asking(device, async (hub) => assertKeys(device, hub, await hub.get(moduleId))),
    async remove(device, moduleId) {
      try {
        await (await hubFor(device)).delete(moduleId);
      } catch (error) {
        if (isModuleMissing(error)) await cache.remove(device, moduleId);
        throw hubFailed(error);
      }
      await cache.remove(device, moduleId);
    },
    async listFromHub(device) {
      try {
        return await listFromHub(device);
      } catch (error) {
        throw hubFailed(error);
      }
    },
  };
}
