import { X509Certificate } from 'node:crypto';
import type { StateStore } from '../common/index.ts';
import {
  type Enrollment,
  type EnrollmentGroup,
  enrollmentKey,
  enrollmentSettings,
  type GroupInput,
  type IndividualEnrollment,
  type IndividualInput,
  isRegistrationId,
  type SymmetricKeyAttestation,
  type TpmAttestation,
} from './enrollment.ts';
import { isSameTpm, requireTpmKeys } from './tpm/enrolled-key.ts';

const TABLE = 'enrollments';

/** The enrolments of one scope, individuals and groups. Adding one under a known id replaces it. */
export class Enrollments {
  readonly #store: StateStore;
  readonly #byKey = new Map<string, Enrollment>();

  constructor(store: StateStore) {
    this.#store = store;
    for (const { key, value } of store.list<Enrollment>(TABLE)) this.#byKey.set(key, value);
  }

  /** @throws TypeError when the id, a key or a certificate is not as the service takes it, or the TPM is enrolled already. */
  addIndividual(input: IndividualInput): IndividualEnrollment {
    requireId('registration', input.registrationId);
    const { attestation } = input;
    if (attestation.type === 'symmetricKey') requireKeys(attestation);
    else if (attestation.type === 'tpm') this.#requireOwnTpm(input.registrationId, attestation);
    else requireCertificates([attestation.primaryPem, ...(attestation.secondaryPem ? [attestation.secondaryPem] : [])]);
    const { registrationId, deviceId } = input;
    return this.#save({
      kind: 'individual',
      registrationId,
      attestation,
      ...(deviceId === undefined ? {} : { deviceId }),
      ...enrollmentSettings(input),
    });
  }

  /** @throws TypeError when the id, a key or a certificate is not as the service takes it. */
  addGroup(input: GroupInput): EnrollmentGroup {
    requireId('group', input.groupId);
    const { attestation } = input;
    if (attestation.type === 'symmetricKey') requireKeys(attestation);
    else requireCertificates(attestation.caPem);
    return this.#save({ kind: 'group', groupId: input.groupId, attestation, ...enrollmentSettings(input) });
  }

  /** Enables or disables the individual enrolment or group called `id`. @throws RangeError when there is none. */
  setEnabled(id: string, enabled: boolean): void {
    const matching = this.#named(id);
    if (matching.length === 0) throw new RangeError(`no enrolment is called ${JSON.stringify(id)}`);
    for (const enrollment of matching) this.#save({ ...enrollment, enabled });
  }

  /** Removes the individual enrolment or group called `id`; answers whether there was one. */
  remove(id: string): boolean {
    const matching = this.#named(id);
    for (const enrollment of matching) {
      this.#store.delete(TABLE, enrollmentKey(enrollment));
      this.#byKey.delete(enrollmentKey(enrollment));
    }
    return matching.length > 0;
  }

  list(): Enrollment[] {
    return [...this.#byKey.values()];
  }

  /** The individual enrolment of a registration; ids compare without regard to case. */
  individual(registrationId: string): IndividualEnrollment | undefined {
    const found = this.#byKey.get(`individual/${registrationId.toLowerCase()}`);
    return found?.kind === 'individual' ? found : undefined;
  }

  groups(): EnrollmentGroup[] {
    return this.list().filter((enrollment) => enrollment.kind === 'group');
  }

  /** One TPM is one device: with two enrolments of an endorsement key each device could claim the other's identity. */
  #requireOwnTpm(registrationId: string, attestation: TpmAttestation): void {
    requireTpmKeys(attestation);
    for (const other of this.list()) {
      if (other.kind !== 'individual' || other.attestation.type !== 'tpm') continue;
      if (other.registrationId.toLowerCase() === registrationId.toLowerCase()) continue;
      if (isSameTpm(other.attestation, attestation))
        throw new TypeError(
          `the endorsement key is that of the enrolment ${JSON.stringify(other.registrationId)} already; remove that one first`,
        );
    }
  }

  #named(id: string): Enrollment[] {
    const name = id.toLowerCase();
    return [`individual/${name}`, `group/${name}`].flatMap((key) => this.#byKey.get(key) ?? []);
  }

  #save<E extends Enrollment>(enrollment: E): E {
    const kept = structuredClone(enrollment);
    this.#store.put(TABLE, enrollmentKey(kept), kept);
    this.#byKey.set(enrollmentKey(kept), kept);
    return kept;
  }
}

const CANONICAL_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function requireId(what: string, id: string): void {
  if (!isRegistrationId(id))
    throw new TypeError(`${what} id ${JSON.stringify(id)} has characters that the service refuses, or is too long`);
}

function requireKeys({ primaryKey, secondaryKey }: SymmetricKeyAttestation): void {
  for (const [name, key] of Object.entries({ primaryKey, secondaryKey })) {
    const size = Buffer.from(key, 'base64').length;
    if (!CANONICAL_BASE64.test(key) || size < 16 || size > 64)
      throw new TypeError(`${name} must be base64 of 16 to 64 bytes`);
  }
}

function requireCertificates(pems: readonly string[]): void {
  if (pems.length === 0) throw new TypeError('an X.509 enrolment needs a certificate');
  for (const pem of pems) {
    try {
      new X509Certificate(pem);
    } catch (cause) {
      throw new TypeError('an X.509 enrolment needs certificates in PEM', { cause });
    }
  }
}
