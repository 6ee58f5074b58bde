import type { HubModule } from '../cloud/index.ts';
import type { Logger } from '../process/index.ts';
import type { Device } from './device.ts';
import { moduleIdFault } from './module-id.ts';
import type { Modules } from './modules.ts';
import { moduleNames, type Settings } from './settings.ts';
import type { StateFiles } from './state-files.ts';

/** What a reconciliation does to the modules of a device. */
export interface ReconciliationPlan {
  readonly remove: readonly string[];
  readonly keep: readonly string[];
  /** In ascending byte order. */
  readonly create: readonly string[];
}

const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** What is known when a reconciliation begins. */
export interface ReconciliationFacts {
  /** Ids in the hub. */
  readonly listed: readonly string[];
  /** Names configured as modules. */
  readonly current: readonly string[];
  /** Names that identityd made before, or began to make. */
  readonly managed: readonly string[];
  /** Whether the creation of a module was cut off, so that the hub may hold it with other keys: it is created to its end. */
  readonly isHalfMade: (name: string) => boolean;
}

/** The table of spec/identity-service.md 7.5. */
export function planReconciliation({ listed, current, managed, isHalfMade }: ReconciliationFacts): ReconciliationPlan {
  const isCurrent = new Set(current);
  const isManaged = new Set(managed);
  const keep = listed.filter((name) => isCurrent.has(name) && isManaged.has(name) && !isHalfMade(name));
  const remove = listed.filter((name) => isCurrent.has(name) !== isManaged.has(name));
  const create = current.filter((name) => !keep.includes(name)).sort(byBytes);
  return { remove, keep, create };
}

/** What a reconciliation works with. */
export interface ReconciliationTools {
  readonly modules: Modules;
  readonly state: StateFiles;
  readonly log: Logger;
}

function noteSpelling(listed: readonly HubModule[], current: readonly string[], log: Logger): void {
  const bySmall = new Map(listed.map(({ moduleId }) => [moduleId.toLowerCase(), moduleId]));
  for (const name of current) {
    const found = bySmall.get(name.toLowerCase());
    if (found !== undefined && found !== name) {
      log.warn(`The hub has module "${found}" where the configuration says "${name}"; they are two modules.`);
    }
  }
}

/**
 * Makes the modules of the device what the configuration says and records that it is done. Throws at the first failure; what was done
 * until then is remembered, so that the next reconciliation goes on from there (7.5, stricter).
 */
export async function reconcile(tools: ReconciliationTools, device: Device, settings: Settings): Promise<void> {
  const { modules, state, log } = tools;
  const current = moduleNames(settings.principals).filter((name) => moduleIdFault(name) === undefined);
  const managed = new Set(await state.readManaged(device));
  const listed = await modules.listFromHub(device);
  noteSpelling(listed, current, log);
  const plan = planReconciliation({
    listed: listed.map(({ moduleId }) => moduleId),
    current,
    managed: [...managed],
    isHalfMade: (name) => modules.isHalfMade(device, name),
  });
  const note = () => state.writeProgress(device, [...managed].sort(byBytes));

  for (const name of plan.keep) log.info(`Hub identity "${name}" already exists`);
  for (const name of plan.remove) {
    await modules.remove(device, name);
    managed.delete(name);
    await note();
    log.info(`Hub identity "${name}" removed`);
  }
  for (const name of plan.create) {
    // Before it is made: one that is made and then configured no more must not stay in the hub for ever.
    managed.add(name);
    await note();
    await modules.create(device, name);
    log.info(`Hub identity "${name}" added`);
  }
  await state.writeDone(device, settings);
}
