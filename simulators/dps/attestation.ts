import { randomBytes, X509Certificate } from 'node:crypto';
import { checkChain, checkSasToken, checkThumbprint, type SasExpectation } from '../credentials/index.ts';
import { certificateInfo } from './certificate-info.ts';
import { type DeviceKeys, groupDeviceKeys } from './device-key.ts';
import {
  deviceIdOf,
  type Enrollment,
  type EnrollmentGroup,
  enrollmentKey,
  type IndividualEnrollment,
  type TpmAttestation,
  type X509Attestation,
} from './enrollment.ts';
import type { Enrollments } from './enrollments.ts';
import { DpsError } from './errors.ts';
import type { HubAuthentication } from './hub-link.ts';
import { freshKeyFor, type TpmChallenges } from './tpm/challenges.ts';
import { differenceOf } from './tpm/enrolled-key.ts';

/** What a device showed: its `Authorization` header and the certificates of its TLS handshake, leaf first. */
export interface Caller {
  authorization: string | undefined;
  certificates: readonly X509Certificate[];
}

/** A device that proved to belong to an enrolment. */
export interface Attested {
  enrollment: Enrollment;
  kind: 'sas' | 'x509' | 'tpm';
  /** Which key signed, or how the certificate was matched; for the journal. */
  by: string;
  /** Names the credential; an operation belongs to it. */
  credential: string;
  /** What the device's identity in its hub shall be proved with. */
  hubAuthentication: HubAuthentication;
  /** The members of `registrationState` that tell how the device was attested. */
  proof: object;
}

/** Strictly, a token of a device names the policy `registration`; some SDKs leave it out. */
export type PolicyName = 'required' | 'optional';

/** What the decision rests on. `registrationId` is the one of the path, decoded and as the device spelt it. */
export interface AttestationRules {
  enrollments: Enrollments;
  challenges: TpmChallenges;
  scopeId: string;
  registrationId: string;
  /** Whether a token must name the policy `registration`, or may leave it out. */
  policyName: PolicyName;
  /** Milliseconds since 1970. */
  now: number;
}

/**
 * Decides which enrolment a device belongs to (spec cloud.md 9.5, 9.6; hub-dps-protocols.md A.6). An individual
 * enrolment decides alone; without one, every group of the kind of credential that was shown is tried, for
 * certificates the nearest issuer first. Whether the enrolment is enabled is not asked here.
 *
 * @throws DpsError registrationNotFound when nothing is enrolled that could match, unauthorized when nothing did.
 */
export function attest(caller: Caller, rules: AttestationRules): Attested {
  const individual = rules.enrollments.individual(rules.registrationId);
  if (individual) return attestIndividual(caller, individual, rules);

  const groups = rules.enrollments.groups();
  if (groups.length === 0)
    throw new DpsError('registrationNotFound', { reason: `nothing is enrolled for '${rules.registrationId}'` });
  if (caller.authorization !== undefined) return attestByGroupKey(caller.authorization, groups, rules);
  return attestByGroupAuthority(caller, groups, rules);
}

function attestIndividual(caller: Caller, enrollment: IndividualEnrollment, rules: AttestationRules): Attested {
  const { attestation } = enrollment;
  switch (attestation.type) {
    case 'symmetricKey':
      return attestByKeys(caller.authorization, enrollment, attestation, rules);
    case 'x509':
      return attestByCertificate(caller, enrollment, attestation, rules);
    case 'tpm':
      return attestByTpm(caller.authorization, enrollment, attestation, rules);
  }
}

function attestByKeys(
  authorization: string | undefined,
  enrollment: Enrollment,
  keys: DeviceKeys,
  rules: AttestationRules,
): Attested {
  const verdict = verifyToken(authorization, keys, rules);
  if (!verdict.verified) return refuse(verdict.reason);
  return symmetric(enrollment, keys, verdict.by);
}

/** The token is signed by the key of the last challenge, which only the enrolled TPM could take (spec cloud.md 9.7). */
function attestByTpm(
  authorization: string | undefined,
  enrollment: IndividualEnrollment,
  enrolled: TpmAttestation,
  rules: AttestationRules,
): Attested {
  const challenge = rules.challenges.last(rules.registrationId);
  if (!challenge) return refuse('the device has not asked for a challenge');
  const different = differenceOf(enrolled, challenge.shown);
  if (different !== undefined) return refuse(different);
  const nonce = { primaryKey: challenge.nonceKey, secondaryKey: challenge.nonceKey };
  const verdict = verifyToken(authorization, nonce, rules);
  if (!verdict.verified) return refuse(verdict.reason);
  const { key, authenticationKey } = freshKeyFor(challenge.shown);
  return {
    enrollment,
    kind: 'tpm',
    by: 'the key of its challenge',
    credential: `${enrollmentKey(enrollment)} tpm`,
    hubAuthentication: { type: 'sas', primaryKey: key, secondaryKey: randomBytes(32).toString('base64') },
    proof: { tpm: { authenticationKey } },
  };
}

function attestByGroupKey(
  authorization: string,
  groups: readonly EnrollmentGroup[],
  rules: AttestationRules,
): Attested {
  const reasons: string[] = [];
  for (const group of groups) {
    if (group.attestation.type !== 'symmetricKey') continue;
    for (const keys of groupDeviceKeys(group.attestation, rules.registrationId)) {
      const verdict = verifyToken(authorization, keys, rules);
      if (verdict.verified) return symmetric(group, keys, verdict.by);
      reasons.push(verdict.reason);
    }
  }
  return refuse(reasons[0] ?? 'no group takes tokens');
}

function attestByGroupAuthority(caller: Caller, groups: readonly EnrollmentGroup[], rules: AttestationRules): Attested {
  const reasons: string[] = [];
  let nearest: { group: EnrollmentGroup; caPem: string[]; by: string; depth: number } | undefined;
  const expected = { commonName: rules.registrationId, now: rules.now };
  for (const group of groups) {
    if (group.attestation.type !== 'x509') continue;
    const { caPem } = group.attestation;
    const verdict = checkChain(caller.certificates, caPem, expected);
    if (!verdict.verified) reasons.push(verdict.reason);
    else if (!nearest || verdict.depth < nearest.depth)
      nearest = { group, caPem, by: verdict.by, depth: verdict.depth };
  }
  const [leaf] = caller.certificates;
  if (!nearest || !leaf) return refuse(reasons[0] ?? 'no group takes certificates');
  return {
    enrollment: nearest.group,
    kind: 'x509',
    by: nearest.by,
    credential: `${enrollmentKey(nearest.group)} ${leaf.fingerprint256}`,
    hubAuthentication: { type: 'certificateAuthority', caPem: nearest.caPem },
    proof: { x509: { certificateInfo: certificateInfo(leaf), enrollmentGroupId: nearest.group.groupId } },
  };
}

function attestByCertificate(
  caller: Caller,
  enrollment: IndividualEnrollment,
  attestation: X509Attestation,
  rules: AttestationRules,
): Attested {
  const { primaryPem, secondaryPem } = attestation;
  const enrolled = secondaryPem === undefined ? [primaryPem] : [primaryPem, secondaryPem];
  const thumbprints = enrolled.map(thumbprintOf);
  const expected = { commonName: rules.registrationId, now: rules.now };
  const equal = checkThumbprint(caller.certificates, thumbprints, expected);
  const verdict = equal.verified ? equal : checkChain(caller.certificates, enrolled, expected);
  const [leaf] = caller.certificates;
  if (!verdict.verified || !leaf) return refuse(verdict.verified ? 'no certificate' : verdict.reason);
  return {
    enrollment,
    kind: 'x509',
    by: verdict.by,
    credential: `${enrollmentKey(enrollment)} ${leaf.fingerprint256}`,
    hubAuthentication: equal.verified ? selfSigned(thumbprints) : issued(enrollment, enrolled, leaf, rules),
    proof: { x509: { certificateInfo: certificateInfo(leaf) } },
  };
}

function selfSigned([primaryThumbprint = '', secondaryThumbprint]: readonly string[]): HubAuthentication {
  return { type: 'selfSigned', primaryThumbprint, secondaryThumbprint: secondaryThumbprint ?? null };
}

/** A hub asks for the device id as common name; where provisioning names the device otherwise only the leaf itself can serve. */
function issued(
  enrollment: IndividualEnrollment,
  caPem: string[],
  leaf: X509Certificate,
  rules: AttestationRules,
): HubAuthentication {
  return deviceIdOf(enrollment, rules.registrationId) === rules.registrationId
    ? { type: 'certificateAuthority', caPem }
    : selfSigned([thumbprintOf(leaf.toString())]);
}

function symmetric(enrollment: Enrollment, { primaryKey, secondaryKey }: DeviceKeys, by: string): Attested {
  return {
    enrollment,
    kind: 'sas',
    by,
    credential: `${enrollmentKey(enrollment)} symmetric`,
    hubAuthentication: { type: 'sas', primaryKey, secondaryKey },
    proof: enrollment.kind === 'group' ? { symmetricKey: { enrollmentGroupId: enrollment.groupId } } : {},
  };
}

function verifyToken(
  authorization: string | undefined,
  keys: DeviceKeys,
  { scopeId, registrationId, policyName, now }: AttestationRules,
) {
  const policy: SasExpectation['policy'] = { value: 'registration', presence: policyName };
  const resources = [`${scopeId}/registrations/${registrationId}`];
  return checkSasToken(authorization, { resources, keys: [keys.primaryKey, keys.secondaryKey], policy, now });
}

function thumbprintOf(pem: string): string {
  return new X509Certificate(pem).fingerprint256.replaceAll(':', '');
}

function refuse(reason: string): never {
  throw new DpsError('unauthorized', { reason });
}
