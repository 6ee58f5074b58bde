import type { Group } from '../runner/index.ts';
import { access } from './access.ts';
import { bodies } from './bodies.ts';
import { certificates } from './certificates.ts';
import { errors } from './errors.ts';
import { gateway } from './gateway.ts';
import { messages } from './messages.ts';
import { modules } from './modules.ts';
import { preconditions } from './preconditions.ts';

export { endCloudTarget } from '../azure/index.ts';

/** What a hub has to answer a device that manages its modules and sends messages over HTTPS (cloud.md 4, 7 and 10; hub-dps-protocols.md C.4, D.5). */
export const hubGroups: readonly Group[] = [
  modules,
  preconditions,
  bodies,
  access,
  certificates,
  errors,
  gateway,
  messages,
];
