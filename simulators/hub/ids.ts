/**
 * Which device ids the registry takes from a test: `azure` is the alphabet of the service, `any` lets it hold a device
 * whose id the service itself would refuse. Module ids are always those of the service.
 */
export type IdRule = 'azure' | 'any';

const AZURE_ID = /^[A-Za-z0-9\-:.+%_#*?!(),=@$']{1,128}$/;

/** Whether `id` may name a device or module under `rule` (spec cloud.md 10.6). */
export function isAllowedId(id: string, rule: IdRule): boolean {
  return rule === 'any' ? id.length > 0 && id.length <= 1024 : AZURE_ID.test(id);
}

/** The modules that a hub makes by itself for an edge device (spec cloud.md 10.8). */
export const SYSTEM_MODULES: readonly string[] = ['$edgeAgent', '$edgeHub'];

/** How many modules one device may have, the system modules included (spec cloud.md 7). */
export const MODULE_LIMIT = 50;
