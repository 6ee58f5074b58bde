import type { Group } from '../runner/index.ts';
import { access, certificates, errors } from './access.ts';
import { bodies } from './bodies.ts';
import { gateway } from './gateway.ts';
import { modules } from './modules.ts';
import { preconditions } from './preconditions.ts';

export { endCloudTarget } from '../azure/index.ts';

/** What a hub has to answer a device that manages its modules over HTTPS (cloud.md 4, 7 and 10; hub-dps-protocols.md C.4, D.5). */
export const hubGroups: readonly Group[] = [modules, preconditions, bodies, access, certificates, errors, gateway];
