import { Reader, sized } from './bytes.ts';

/** The five structures of a wrapped auth key (spec/tpm-service.md 4), each with its size. */
export interface WrappedKey {
  /** TPM2B_ID_OBJECT: the inner key, for the EK and the name of the SRK. */
  readonly credential: Buffer;
  /** TPM2B_ENCRYPTED_SECRET of the credential. */
  readonly credentialSecret: Buffer;
  /** TPM2B_PRIVATE: the duplicated key. */
  readonly duplicate: Buffer;
  /** TPM2B_ENCRYPTED_SECRET of the duplicate. */
  readonly duplicateSecret: Buffer;
  /** TPM2B_PUBLIC of the auth key. */
  readonly publicArea: Buffer;
}

/** Parts a blob; bytes after the fifth structure are ignored. Throws MarshalError when it ends before. */
export function readWrappedKey(blob: Buffer): WrappedKey {
  const reader = new Reader(blob);
  const next = () => sized(reader.sized());
  return {
    credential: next(),
    credentialSecret: next(),
    duplicate: next(),
    duplicateSecret: next(),
    publicArea: next(),
  };
}
