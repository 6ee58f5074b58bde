import { ServiceError } from '../ipc/index.ts';
import type { PairAlgorithm } from './pair-algorithms.ts';

/** What a new symmetric key is for: HMAC and derivation, AES, or (files only) several of them. */
export type KeyUse = 'hmac' | 'aes' | 'mixed';

/** How a private key is used. */
export type PairMechanism = 'ECDSA' | 'RSA-PKCS1' | 'RSA-NO-PADDING';

/** Public half of a key pair as `/parameters` shows it. Integers are big-endian without leading zeros. */
export type PairParts =
  | { readonly algorithm: 'ECDSA'; readonly curveOid: Buffer; readonly compressedPoint: Buffer }
  | { readonly algorithm: 'RSA'; readonly modulus: Buffer; readonly exponent: Buffer }
  | { readonly algorithm: 'other' };

/** What both sides of an AEAD operation share. */
export interface AeadInput {
  readonly iv: Buffer;
  readonly aad: Buffer;
}

/**
 * One place where the keys of one id may live: a file, or objects of a token. Methods that use a key answer undefined where the key is
 * not in this place, so that the next place is asked. A key that is there but unfit throws the 400 of {@link unsuitable}; any other error
 * is a fault of the place and becomes a 500.
 */
export interface KeyPlace {
  readonly kind: 'file' | 'token';
  hasKey(): Promise<boolean>;
  /** Makes a key where none is; `unsupported`: the next place may try. */
  makeKey(use: KeyUse): Promise<'made' | 'unsupported'>;
  /** Stores these bytes as the key, in place of what is there. */
  importKey(bytes: Buffer, use: KeyUse): Promise<'made' | 'unsupported'>;
  deleteKey(): Promise<void>;
  hmac(message: Buffer): Promise<Buffer | undefined>;
  /** Version byte, ciphertext, tag. */
  seal(input: AeadInput, plaintext: Buffer): Promise<Buffer | undefined>;
  open(input: AeadInput, ciphertext: Buffer): Promise<Buffer | undefined>;
  /** Whether a readable pair is here, whatever else may be. */
  hasPair(): Promise<boolean>;
  pairParts(): Promise<PairParts | undefined>;
  /** Makes a pair of the first algorithm that this place can. Throws {@link unsuitable} where none remains. */
  makePair(algorithms: readonly PairAlgorithm[]): Promise<void>;
  deletePair(): Promise<void>;
  /** DER for ECDSA over a digest; the bare private-key operation for RSA. */
  sign(mechanism: PairMechanism, input: Buffer): Promise<Buffer | undefined>;
}

/** The 400 without detail; `reason` goes to the log only. */
export function unsuitable(reason: string): ServiceError {
  return new ServiceError('key-parameter-invalid', { cause: new Error(reason) });
}
