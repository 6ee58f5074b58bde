export { assemble, type IdentityParts } from './assembly.ts';
export type { Settings } from './settings.ts';
export { startIdentityd } from './start.ts';
