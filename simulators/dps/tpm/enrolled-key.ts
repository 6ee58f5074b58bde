import type { TpmAttestation } from '../enrollment.ts';
import type { ShownTpm } from './challenges.ts';
import { readTpmPublicKey } from './public-key.ts';

const same = (a: string, b: string): boolean => Buffer.from(a, 'base64').equals(Buffer.from(b, 'base64'));

/** @throws TypeError when a key of the enrolment is not base64 of an RSA-2048 storage key */
export function requireTpmKeys({ endorsementKey, storageRootKey }: TpmAttestation): void {
  readTpmPublicKey('endorsementKey', Buffer.from(endorsementKey, 'base64'));
  if (storageRootKey !== undefined) readTpmPublicKey('storageRootKey', Buffer.from(storageRootKey, 'base64'));
}

/** Whether two enrolments are for the same TPM: an endorsement key belongs to one TPM for ever. */
export function isSameTpm(a: TpmAttestation, b: TpmAttestation): boolean {
  return same(a.endorsementKey, b.endorsementKey);
}

/** Why a shown TPM is not the enrolled one; undefined: it is. An enrolment without a storage root key takes any. */
export function differenceOf(enrolled: TpmAttestation, shown: ShownTpm): string | undefined {
  if (!same(enrolled.endorsementKey, shown.endorsementKey)) return 'the endorsement key is not the enrolled one';
  const { storageRootKey } = enrolled;
  if (storageRootKey !== undefined && !same(storageRootKey, shown.storageRootKey))
    return 'the storage root key is not the enrolled one';
  return undefined;
}
