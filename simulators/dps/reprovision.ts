import { isSameHost } from './allocation.ts';
import type { ReprovisionPolicy } from './enrollment.ts';
import type { Registration, Substatus } from './registration.ts';

/** A device in a hub. */
export interface Placement {
  hubHostName: string;
  deviceId: string;
}

/** What becomes of a device that registers: how its state is named, and the old device to remove. */
export interface AssignmentPlan {
  substatus: Substatus;
  removed?: Placement;
}

/**
 * Plans a registration of a device that was at `current` and goes to `next` (hub-dps-protocols.md A.9): on the same
 * hub the device stays, on another one the old device goes.
 */
export function planAssignment(
  current: Registration | undefined,
  next: Placement,
  policy: ReprovisionPolicy,
): AssignmentPlan {
  if (!current) return { substatus: 'initialAssignment' };
  const sameHub = isSameHost(current.hubHostName, next.hubHostName);
  const removed = { hubHostName: current.hubHostName, deviceId: current.deviceId };
  if (!sameHub) return { substatus: policy.migrateDeviceData ? 'deviceDataMigrated' : 'deviceDataReset', removed };
  const substatus = substatusOnSameHub(policy);
  return current.deviceId === next.deviceId ? { substatus } : { substatus, removed };
}

function substatusOnSameHub(policy: ReprovisionPolicy): Substatus {
  if (!policy.updateHubAssignment) return 'reprovisionedToInitialAssignment';
  return policy.migrateDeviceData ? 'initialAssignment' : 'deviceDataReset';
}
