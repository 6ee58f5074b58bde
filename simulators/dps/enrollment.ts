/** The keys of a symmetric-key enrolment: base64 of 16 to 64 bytes. For a group these are the group keys. */
export interface SymmetricKeyAttestation {
  type: 'symmetricKey';
  primaryKey: string;
  secondaryKey: string;
}

/** An individual X.509 enrolment: the certificates of the device, or of a CA that issues for it. PEM. */
export interface X509Attestation {
  type: 'x509';
  primaryPem: string;
  secondaryPem?: string;
}

/** A group X.509 enrolment: the certificate authorities whose leaves belong to the group. PEM. */
export interface X509GroupAttestation {
  type: 'x509';
  caPem: string[];
}

/**
 * An individual TPM enrolment: base64 of the TPM2B_PUBLIC of its endorsement key, and of its storage root key where only that one shall
 * count.
 */
export interface TpmAttestation {
  type: 'tpm';
  endorsementKey: string;
  storageRootKey?: string;
}

/** What a device of an individual enrolment proves. A further kind of attestation is one more member here. */
export type IndividualAttestation = SymmetricKeyAttestation | X509Attestation | TpmAttestation;

/** What a device of a group proves. */
export type GroupAttestation = SymmetricKeyAttestation | X509GroupAttestation;

/** What happens when a known device registers again (hub-dps-protocols.md A.9). */
export interface ReprovisionPolicy {
  updateHubAssignment: boolean;
  migrateDeviceData: boolean;
}

const DEFAULT_REPROVISION_POLICY: ReprovisionPolicy = { updateHubAssignment: true, migrateDeviceData: true };

/**
 * How a hub is chosen: `hashed` spreads by registration id over `hubs` (or all linked hubs), `static` takes the first
 * of `hubs`, `custom` asks the simulator's allocation callback.
 */
export type AllocationPolicy = 'hashed' | 'static' | 'custom';

interface EnrollmentSettings {
  enabled: boolean;
  /** Host names of linked hubs; empty means all of them. */
  hubs: string[];
  allocation: AllocationPolicy;
  reprovision: ReprovisionPolicy;
  /** Whether the device is made as an edge device in its hub. */
  edge: boolean;
  /** Answered as the final poll body instead of an assignment, word for word. */
  fixedAnswer?: Record<string, unknown>;
}

/** An enrolment of one device. */
export interface IndividualEnrollment extends EnrollmentSettings {
  kind: 'individual';
  registrationId: string;
  attestation: IndividualAttestation;
  /** The device id in the hub; the registration id when absent. */
  deviceId?: string;
}

/** An enrolment of every device that proves to belong to a group. */
export interface EnrollmentGroup extends EnrollmentSettings {
  kind: 'group';
  groupId: string;
  attestation: GroupAttestation;
}

export type Enrollment = IndividualEnrollment | EnrollmentGroup;

export type EnrollmentInput<E extends Enrollment> = Omit<E, 'kind' | keyof EnrollmentSettings> &
  Partial<EnrollmentSettings>;
export type IndividualInput = EnrollmentInput<IndividualEnrollment>;
export type GroupInput = EnrollmentInput<EnrollmentGroup>;

const REGISTRATION_ID = /^[A-Za-z0-9\-._:]{0,127}[A-Za-z0-9-]$/;

/** Whether the service takes `id` as a registration or group id (hub-dps-protocols.md A.6). */
export function isRegistrationId(id: string): boolean {
  return REGISTRATION_ID.test(id);
}

/** The name that records and operations keep for an enrolment; ids compare without regard to case. */
export function enrollmentKey(enrollment: Enrollment): string {
  return enrollment.kind === 'individual'
    ? `individual/${enrollment.registrationId.toLowerCase()}`
    : `group/${enrollment.groupId.toLowerCase()}`;
}

/** Fills the settings that an enrolment was given without. */
export function enrollmentSettings(input: Partial<EnrollmentSettings>): EnrollmentSettings {
  return {
    enabled: input.enabled ?? true,
    hubs: input.hubs ?? [],
    allocation: input.allocation ?? 'hashed',
    reprovision: input.reprovision ?? DEFAULT_REPROVISION_POLICY,
    edge: input.edge ?? false,
    ...(input.fixedAnswer ? { fixedAnswer: input.fixedAnswer } : {}),
  };
}

/** The id that a device of this enrolment has in its hub. */
export function deviceIdOf(enrollment: Enrollment, registrationId: string): string {
  return enrollment.kind === 'individual' ? (enrollment.deviceId ?? enrollment.registrationId) : registrationId;
}
