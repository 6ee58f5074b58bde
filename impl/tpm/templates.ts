import { sized, u16, u32 } from './bytes.ts';
import { ALGORITHMS } from './constants.ts';

const MODULUS_BYTES = 256;
/** PolicySecret(TPM_RH_ENDORSEMENT), TCG EK Credential Profile, B.3.2. */
export const ENDORSEMENT_POLICY = Buffer.from(
  '837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa',
  'hex',
);

function rsaStorageTemplate(attributes: number, policy: Uint8Array): Buffer {
  return Buffer.concat([
    u16(ALGORITHMS.rsa),
    u16(ALGORITHMS.sha256),
    u32(attributes),
    sized(policy),
    u16(ALGORITHMS.aes),
    u16(128),
    u16(ALGORITHMS.cfb),
    u16(ALGORITHMS.null),
    u16(2048),
    u32(0),
    sized(Buffer.alloc(MODULUS_BYTES)),
  ]);
}

/** TPMT_PUBLIC of the endorsement key (TCG EK profile, template L-1): the TPM makes the same key from it each time. */
export const ENDORSEMENT_TEMPLATE = rsaStorageTemplate(0x0003_00b2, ENDORSEMENT_POLICY);
/** TPMT_PUBLIC of the storage root key. */
export const STORAGE_ROOT_TEMPLATE = rsaStorageTemplate(0x0003_0472, Buffer.alloc(0));
