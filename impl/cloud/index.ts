export { type ClockWatch, createClockWatch } from './clock-watch.ts';
export {
  asksForReprovisioning,
  CloudError,
  type CloudFailure,
  doubtsCredential,
  meansOffline,
} from './cloud-error.ts';
export type { CloudContext } from './context.ts';
export type { CloudCredential } from './credential.ts';
export { type Assignment, type DpsTpm, type Registration, registerDevice } from './dps-client.ts';
export { createHubClient, type HubClient, type HubDevice, type HubModule, type ModuleKeys } from './hub-client.ts';
export { hubIdFault } from './hub-id.ts';
export type { SignToken } from './sas-token.ts';
