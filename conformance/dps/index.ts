import type { Group } from '../runner/index.ts';
import { certificates } from './certificates.ts';
import { tokens } from './credentials.ts';
import { errors } from './errors.ts';
import { keyGroups } from './groups-by-key.ts';
import { registration } from './registration.ts';
import { tpm } from './tpm.ts';

export { endCloudTarget } from '../azure/index.ts';
export { keyed, poll } from './device.ts';

/** What a provisioning service has to answer devices over HTTPS, by its wire alone (cloud.md 3, 7 and 9; hub-dps-protocols.md A). */
export const dpsGroups: readonly Group[] = [registration, tokens, keyGroups, certificates, tpm, errors];
