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

/**
 * The table of spec/identity-service.md 7.5.
 *
 * @param listed ids in the hub; @param current names configured as modules; @param managed names that identityd made before.
 */
export function planReconciliation(
  listed: readonly string[],
  current: readonly string[],
  managed: readonly string[],
): ReconciliationPlan {
  const isCurrent = new Set(current);
  const isManaged = new Set(managed);
  const keep = listed.filter((name) => isCurrent.has(name) && isManaged.has(name));
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
  const plan = planReconciliation(
    listed.map(({ moduleId }) => moduleId),
    current,
    [...managed],
  );
  const note = () => state.writeProgress(device, [...managed].sort(byBytes));

  for (const name of plan.keep) log.info(`Hub identity "${name}" already exists`);
  for (const name of plan.remove) {
    await modules.remove(device, name);
    managed.delete(name);
    await note();
    log.info(`Hub identity "${name}" removed`);
  }
  for (const name of plan.create) {
    await modules.create(device, name);
    managed.add(name);
    await note();
    log.info(`Hub identity "${name}" added`);
  }
  await state.writeDone(device, settings);
}
