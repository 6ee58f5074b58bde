/** The door of the room: a simulated IoT Hub. */
export type { Principal } from './access.ts';
export type { Authentication, AuthenticationInput } from './authentication.ts';
export { HUB_ERRORS, type HubErrorCode } from './errors.ts';
export {
  createHubSimulator,
  type GatewayOptions,
  HUB_API_VERSIONS,
  type HubListener,
  type HubOptions,
  type HubSimulator,
  type ProvisioningLink,
} from './hub-simulator.ts';
export type {
  DeviceIdentity,
  DeviceInput,
  DeviceStatus,
  IdentityRegistry,
  ModuleIdentity,
  ModuleInput,
} from './registry.ts';
export type { DeviceMessage, MessageLog } from './telemetry.ts';
