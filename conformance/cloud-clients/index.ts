import type { Group } from '../runner/index.ts';
import { clients } from './clients.ts';
import { polls } from './polls.ts';
import { simulators } from './simulators.ts';

export { endCloudTarget } from '../azure/index.ts';

/** cloud.md's checklist where no recorded exchange judges it: identityd as a client of the cloud, and the cloud as its service. */
export const cloudClientGroups: readonly Group[] = [clients, polls, simulators];
