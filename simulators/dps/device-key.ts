import { createHmac } from 'node:crypto';

/**
 * The key of one device of a symmetric-key group: base64 of HMAC-SHA256 of the registration id under the group key
 * (spec cloud.md 2).
 *
 * @param groupKey base64.
 */
export function deriveDeviceKey(groupKey: string, registrationId: string): string {
  return createHmac('sha256', Buffer.from(groupKey, 'base64')).update(registrationId, 'utf8').digest('base64');
}

/** A pair of keys that a device may hold, base64. */
export interface DeviceKeys {
  primaryKey: string;
  secondaryKey: string;
}

/**
 * The pairs that a device of a group may hold: derived from the id as it was sent, and from its lower-case form, as
 * tools differ there (spec cloud.md 9.5).
 */
export function groupDeviceKeys(group: DeviceKeys, registrationId: string): DeviceKeys[] {
  const spellings = new Set([registrationId, registrationId.toLowerCase()]);
  return [...spellings].map((id) => ({
    primaryKey: deriveDeviceKey(group.primaryKey, id),
    secondaryKey: deriveDeviceKey(group.secondaryKey, id),
  }));
}
