/** The door of the room: a simulated Device Provisioning Service. */
export type { Allocate, AllocationAnswer, AllocationRequest } from './allocation.ts';
export { deriveDeviceKey } from './device-key.ts';
export { createDpsSimulator, DPS_API_VERSIONS, type DpsOptions, type DpsSimulator } from './dps-simulator.ts';
export type {
  AllocationPolicy,
  Enrollment,
  EnrollmentGroup,
  GroupInput,
  IndividualEnrollment,
  IndividualInput,
  ReprovisionPolicy,
} from './enrollment.ts';
export type { Enrollments } from './enrollments.ts';
export { DPS_ERRORS, type DpsErrorCode } from './errors.ts';
export type { HubAssignment, HubAuthentication, HubLink } from './hub-link.ts';
export type { ReturnPayload } from './provisioning.ts';
export type { Registration, Substatus } from './registration.ts';
export { type RandomPurpose, type WrapTarget, wrapKeyForTpm } from './tpm/wrapped-key.ts';
