import { CloudError, doubtsCredential, type HubClient, type HubModule, meansOffline } from '../cloud/index.ts';
import { ServiceError } from '../ipc/index.ts';
import type { Logger } from '../process/index.ts';
import type { CreationJournal } from './creation-journal.ts';
import type { Device } from './device.ts';
import { hubFailed } from './failures.ts';
import { type AziotIdentity, moduleIdentity } from './identity-shape.ts';
import type { Kept, ModuleCache } from './module-cache.ts';
import type { KeyedModule, ModuleKeyring } from './module-keys.ts';

/** What module operations work with. */
export interface ModuleTools {
  readonly hubFor: (device: Device) => Promise<HubClient>;
  /** The device with the credential that is stored by now, where that is another one than it has. Never throws. */
  readonly refreshed: (device: Device) => Promise<Device | undefined>;
  readonly creations: CreationJournal;
  readonly cache: ModuleCache;
  readonly keyring: ModuleKeyring;
  readonly log: Logger;
}

/** An answer, and when the hub last said so (Unix milliseconds) where it comes from the cache. */
export interface Told<T> {
  readonly value: T;
  readonly keptSince: number | undefined;
}

/** The modules of a device in the hub (spec/identity-service.md 5.2, 6). Calls throw ServiceError. */
export interface Modules {
  get(device: Device, moduleId: string, preference: 'hub-first' | 'cache-first'): Promise<Told<AziotIdentity>>;
  list(device: Device, preference: 'hub-first' | 'cache-first'): Promise<Told<AziotIdentity[]>>;
  create(device: Device, moduleId: string): Promise<AziotIdentity>;
  update(device: Device, moduleId: string): Promise<AziotIdentity>;
  remove(device: Device, moduleId: string): Promise<void>;
  /** Whether the creation of a module began and did not end. */
  isHalfMade(device: Device, moduleId: string): boolean;
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

const fresh = <T>(value: T): Told<T> => ({ value, keptSince: undefined });
const kept = <T>({ value, confirmedAt }: Kept<T>): Told<T> => ({ value, keptSince: confirmedAt });

/** Whether a failed creation surely made nothing, so that a later 409 is not about it. */
function madeNothing(error: unknown): boolean {
  if (!(error instanceof CloudError) || error.afterUnanswered) return false;
  return error.failure !== 'network' && error.failure !== 'transient' && error.failure !== 'invalid-data';
}

const isConflict = (error: unknown): error is CloudError => error instanceof CloudError && error.failure === 'conflict';

/** Makes the operations. Modules whose creation was cut off are finished when they are asked for again. */
export function createModules({ hubFor, refreshed, creations, cache, keyring, log }: ModuleTools): Modules {
  const nameOf = (device: Device, moduleId: string) => JSON.stringify([device.hubName, device.deviceId, moduleId]);

  /** Runs an exchange with the hub; once more where the device's certificate turns out to have been replaced meanwhile. */
  async function withHub<T>(device: Device, work: (hub: HubClient) => Promise<T>): Promise<T> {
    try {
      return await work(await hubFor(device));
    } catch (error) {
      const now = doubtsCredential(error) ? await refreshed(device) : undefined;
      if (!now) throw error;
      return work(await hubFor(now));
    }
  }

  /** The same; its failures become the 404. */
  async function asking<T>(device: Device, work: (hub: HubClient) => Promise<T>): Promise<T> {
    try {
      return await withHub(device, work);
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
    const [identity] = await Promise.all([withHandle(device, updated), cache.put(device, updated)]);
    return identity;
  }

  async function read(device: Device, moduleId: string): Promise<Told<HubModule>> {
    try {
      const module = await withHub(device, (hub) => hub.get(moduleId));
      await cache.put(device, module);
      return fresh(module);
    } catch (error) {
      if (isModuleMissing(error)) {
        await cache.remove(device, moduleId);
        throw new ServiceError('hub-failed', { reasons: [`module ${moduleId} not found`], cause: error });
      }
      const last = meansOffline(error) ? await cache.get(device, moduleId) : undefined;
      if (!last) throw hubFailed(error);
      log.warn(`The hub cannot be asked about module "${moduleId}"; using what it said last.`);
      return kept(last);
    }
  }

  async function listFromHub(device: Device): Promise<HubModule[]> {
    const modules = await withHub(device, (hub) => hub.list());
    await cache.putAll(device, modules);
    return modules;
  }

  async function listAll(device: Device): Promise<Told<HubModule[]>> {
    try {
      return fresh(await listFromHub(device));
    } catch (error) {
      const last = meansOffline(error) ? await cache.list(device) : undefined;
      if (!last) throw hubFailed(error);
      log.warn('The hub cannot be asked for its modules; using what it said last.');
      return kept(last);
    }
  }

  /** The first half of a creation: a module with keys of the hub's own, or the one that an earlier try left like that. */
  async function beginCreation(device: Device, hub: HubClient, moduleId: string): Promise<HubModule> {
    const name = nameOf(device, moduleId);
    const begunBefore = creations.has(name);
    // A module that was there before is nobody's half-made one, whatever happens to this request.
    const existed = !begunBefore && (await cache.get(device, moduleId)) !== undefined;
    if (!existed) await creations.begin(name);
    try {
      return await hub.create(moduleId);
    } catch (error) {
      if (isConflict(error) && !existed && (begunBefore || error.afterUnanswered)) return hub.get(moduleId);
      if (!begunBefore && madeNothing(error)) creations.end(name);
      throw error;
    }
  }

  async function create(device: Device, hub: HubClient, moduleId: string): Promise<AziotIdentity> {
    const name = nameOf(device, moduleId);
    try {
      const module = await beginCreation(device, hub, moduleId);
      await creations.begin(name);
      const identity = await assertKeys(device, hub, module);
      creations.end(name);
      return identity;
    } finally {
      creations.leave(name);
    }
  }

  return {
    async get(device, moduleId, preference) {
      const cached = preference === 'cache-first' ? await cache.get(device, moduleId) : undefined;
      const { value, keptSince } = cached ? kept(cached) : await read(device, moduleId);
      const keyHandle = await keyring.handle(keyed(value));
      return { value: moduleIdentity(device, value, { type: 'sas', keyHandle }), keptSince };
    },
    async list(device, preference) {
      const cached = preference === 'cache-first' ? await cache.list(device) : undefined;
      const { value, keptSince } = cached ? kept(cached) : await listAll(device);
      return { value: value.map((module) => moduleIdentity(device, module, undefined)), keptSince };
    },
    create: (device, moduleId) => asking(device, (hub) => create(device, hub, moduleId)),
    update: (device, moduleId) => asking(device, async (hub) => assertKeys(device, hub, await hub.get(moduleId))),
    async remove(device, moduleId) {
      try {
        await withHub(device, (hub) => hub.delete(moduleId));
      } catch (error) {
        if (isModuleMissing(error)) await cache.remove(device, moduleId);
        throw hubFailed(error);
      }
      creations.end(nameOf(device, moduleId));
      await cache.remove(device, moduleId);
    },
    isHalfMade: (device, moduleId) => creations.has(nameOf(device, moduleId)),
    async listFromHub(device) {
      try {
        return await listFromHub(device);
      } catch (error) {
        throw hubFailed(error);
      }
    },
  };
}
