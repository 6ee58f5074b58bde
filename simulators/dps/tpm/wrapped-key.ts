import { createHash, randomBytes } from 'node:crypto';
import { encryptOaep } from './oaep.ts';
import { encryptCfb, protect, sized } from './protection.ts';
import { nameOf, readTpmPublicKey } from './public-key.ts';

/** Which random value is asked for, in this order. */
export type RandomPurpose =
  | 'seedValue'
  | 'innerKey'
  | 'duplicateSeed'
  | 'duplicateOaepSeed'
  | 'identitySeed'
  | 'identityOaepSeed';

/** What a key is wrapped for: the public areas of a device's TPM (TPM2B_PUBLIC), as it showed them. */
export interface WrapTarget {
  readonly endorsementKey: Buffer;
  readonly storageRootKey: Buffer;
}

const KEYED_HASH = Buffer.from('0008', 'hex');
/** TPMA_OBJECT of the key: sign, noDA, userWithAuth; neither fixedTPM nor fixedParent, for it comes from outside. */
const ATTRIBUTES = Buffer.from('00040440', 'hex');
const NO_POLICY = Buffer.from('0000', 'hex');
const HMAC_SHA_256 = Buffer.from('0005000b', 'hex');

/**
 * Wraps an HMAC key so that only the TPM with this endorsement and storage root key can use it, and never show it (spec
 * tpm-service.md 6). The five structures: TPM2B_ID_OBJECT and TPM2B_ENCRYPTED_SECRET (MakeCredential to the EK over the inner key,
 * bound to the SRK), TPM2B_PRIVATE and TPM2B_ENCRYPTED_SECRET (the duplicate for the SRK), TPM2B_PUBLIC.
 *
 * @param hmacKey at most 64 bytes
 * @param random gives `size` random bytes
 * @throws TypeError when a key of the TPM is not RSA-2048 as the service needs it
 */
export function wrapKeyForTpm(
  target: WrapTarget,
  hmacKey: Uint8Array,
  random: (size: number, purpose: RandomPurpose) => Buffer = (size) => randomBytes(size),
): Buffer {
  const endorsement = readTpmPublicKey('endorsement key', target.endorsementKey);
  const storageRoot = readTpmPublicKey('storage root key', target.storageRootKey);

  const seedValue = random(32, 'seedValue');
  const unique = createHash('sha256').update(seedValue).update(hmacKey).digest();
  const area = Buffer.concat([
    KEYED_HASH,
    Buffer.from('000b', 'hex'),
    ATTRIBUTES,
    NO_POLICY,
    HMAC_SHA_256,
    sized(unique),
  ]);
  const name = nameOf(area);
  const sensitive = sized(Buffer.concat([KEYED_HASH, sized(Buffer.alloc(0)), sized(seedValue), sized(hmacKey)]));

  const innerKey = random(16, 'innerKey');
  const integrity = createHash('sha256').update(sensitive).update(name).digest();
  const inner = encryptCfb(innerKey, Buffer.concat([sized(integrity), sensitive]));

  const duplicateSeed = random(32, 'duplicateSeed');
  const duplicate = protect(duplicateSeed, name, inner);
  const duplicateSecret = encryptOaep(storageRoot.key, 'DUPLICATE\0', duplicateSeed, random(32, 'duplicateOaepSeed'));

  const identitySeed = random(32, 'identitySeed');
  const credential = protect(identitySeed, storageRoot.name, sized(innerKey));
  const credentialSecret = encryptOaep(endorsement.key, 'IDENTITY\0', identitySeed, random(32, 'identityOaepSeed'));

  return Buffer.concat([credential, credentialSecret, duplicate, duplicateSecret, area].map(sized));
}
