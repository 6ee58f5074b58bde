import { MarshalError, Reader } from './bytes.ts';
import { ALGORITHMS, ATTRIBUTES } from './constants.ts';
import { ENDORSEMENT_POLICY } from './templates.ts';

/** Finds what keeps a public area from its purpose; undefined: nothing. The argument is a TPMT_PUBLIC, without its size. */
export type PublicCheck = (area: Buffer) => string | undefined;

const RSA_BITS = 2048;
const AES_BITS = 128;

interface Head {
  readonly type: number;
  readonly nameAlgorithm: number;
  readonly attributes: number;
  readonly policy: Buffer;
  readonly rest: Reader;
}

function readHead(area: Buffer): Head {
  const rest = new Reader(area);
  const [type, nameAlgorithm] = [rest.u16(), rest.u16()];
  return { type, nameAlgorithm, attributes: rest.u32(), policy: rest.sized(), rest };
}

const hex = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;
const has = (attributes: number, ...bits: number[]): boolean => bits.every((bit) => (attributes & bit) !== 0);

/** What an RSA-2048 storage key with AES-128-CFB must be; both EK and SRK are one. */
function rsaParent({ type, nameAlgorithm, attributes, rest }: Head): string | undefined {
  if (type !== ALGORITHMS.rsa) return `it is of type ${hex(type)}, not RSA`;
  if (nameAlgorithm !== ALGORITHMS.sha256) return `its name algorithm is ${hex(nameAlgorithm)}, not SHA-256`;
  const { fixedTpm, fixedParent, restricted, decrypt, sign } = ATTRIBUTES;
  if (!has(attributes, fixedTpm, fixedParent, restricted, decrypt) || has(attributes, sign)) {
    return `its attributes 0x${attributes.toString(16)} are not those of a fixed, restricted decryption key`;
  }
  const symmetric = rest.u16();
  if (symmetric !== ALGORITHMS.aes || rest.u16() !== AES_BITS || rest.u16() !== ALGORITHMS.cfb) {
    return 'it does not protect its children by AES-128-CFB';
  }
  if (rest.u16() !== ALGORITHMS.null) return 'it has a scheme of its own';
  const bits = rest.u16();
  return bits === RSA_BITS ? undefined : `it has ${bits} bits, not ${RSA_BITS}`;
}

/** Guards a check against areas that end too early. */
function guarded(check: (head: Head) => string | undefined): PublicCheck {
  return (area) => {
    try {
      return check(readHead(area));
    } catch (error) {
      if (error instanceof MarshalError) return 'its public area ends too early';
      throw error;
    }
  };
}

/** The endorsement key: RSA-2048, used under the policy that asks for the endorsement hierarchy (TCG EK profile L-1). */
export const checkEndorsementKey: PublicCheck = guarded((head) => {
  const wrong = rsaParent(head);
  if (wrong !== undefined) return wrong;
  return has(head.attributes, ATTRIBUTES.adminWithPolicy) && head.policy.equals(ENDORSEMENT_POLICY)
    ? undefined
    : 'it is not used under PolicySecret of the endorsement hierarchy';
});

/** The storage root key: RSA-2048, used by its (empty) auth value. Protection from dictionary attacks may be on or off. */
export const checkStorageRootKey: PublicCheck = guarded((head) => {
  const wrong = rsaParent(head);
  if (wrong !== undefined) return wrong;
  return has(head.attributes, ATTRIBUTES.userWithAuth) ? undefined : 'it cannot be used by its auth value';
});

/** Whether an object is of the kind of an auth key: KEYEDHASH, whatever it is used for. */
export const isKeyedHash: PublicCheck = guarded(({ type }) =>
  type === ALGORITHMS.keyedHash ? undefined : `it is of type ${hex(type)}, not KEYEDHASH`,
);

/** The auth key: an HMAC-SHA256 key that signs any data. Stricter than the reference, which finds out at the first signature. */
export const checkAuthKey: PublicCheck = guarded(({ type, nameAlgorithm, attributes, rest }) => {
  if (type !== ALGORITHMS.keyedHash) return `it is of type ${hex(type)}, not KEYEDHASH`;
  if (nameAlgorithm !== ALGORITHMS.sha256) return `its name algorithm is ${hex(nameAlgorithm)}, not SHA-256`;
  if (!has(attributes, ATTRIBUTES.sign)) return 'it must not sign';
  if (has(attributes, ATTRIBUTES.restricted)) return 'it is restricted to data of the TPM';
  if (rest.u16() !== ALGORITHMS.hmac) return 'its scheme is not HMAC';
  const hash = rest.u16();
  return hash === ALGORITHMS.sha256 ? undefined : `its scheme hashes by ${hex(hash)}, not by SHA-256`;
});
