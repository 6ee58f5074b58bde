import type { Attribute, Handle, PKCS11, Pkcs11Error } from 'pkcs11js';

export type { Attribute, Handle };
/** The binding to a PKCS#11 module. */
export type Cryptoki = PKCS11;

/** Constants of PKCS#11 2.40 that are used (pkcs11t.h). */
export const CK = {
  userPin: 1,
  sessionSerialWrite: 2 | 4,
  osLocking: 2,
  tokenInitialized: 0x400,
  state: { readOnlyUser: 1, readWriteUser: 3 },
  class: { publicKey: 2, privateKey: 3, secretKey: 4 },
  keyType: { rsa: 0, ec: 3, genericSecret: 0x10, aes: 0x1f },
  mechanism: {
    rsaPairGen: 0,
    rsaPkcs: 1,
    rsaX509: 3,
    sha256Hmac: 0x251,
    genericSecretGen: 0x350,
    ecPairGen: 0x1040,
    ecdsa: 0x1041,
    aesGen: 0x1080,
    aesGcm: 0x1087,
  },
  aesGcmParameters: 3,
  attribute: {
    class: 0,
    token: 1,
    private: 2,
    label: 3,
    value: 0x11,
    keyType: 0x100,
    sensitive: 0x103,
    encrypt: 0x104,
    decrypt: 0x105,
    sign: 0x108,
    verify: 0x10a,
    modulus: 0x120,
    modulusBits: 0x121,
    publicExponent: 0x122,
    valueLength: 0x161,
    extractable: 0x162,
    ecParameters: 0x180,
    ecPoint: 0x181,
  },
} as const;

/** Return values that steer what is done next. */
const CODE = {
  generalError: 0x05,
  functionFailed: 0x06,
  functionNotSupported: 0x54,
  mechanismInvalid: 0x70,
  encryptedDataInvalid: 0x40,
  encryptedDataLength: 0x41,
  aeadDecryptFailed: 0x42,
  userAlreadyLoggedIn: 0x100,
  bufferTooSmall: 0x150,
  notInitialized: 0x190,
  alreadyInitialized: 0x191,
} as const;

/** PIN incorrect, invalid, of wrong length, expired, locked: another try would only bring the token nearer to its lock. */
const PIN_REFUSED = new Set([0xa0, 0xa1, 0xa2, 0xa3, 0xa4]);
/** Device error, memory or removal; session closed, invalid or gone; user not logged in; token gone; module not initialised. */
const SESSION_LOST = new Set([0x30, 0x31, 0x32, 0xb0, 0xb3, 0xe0, 0x101, 0x190]);
/** Object or key handle invalid: the object was removed behind our back. */
const OBJECT_LOST = new Set([0x60, 0x82]);

/** The CKR_ value of an error of the module, or undefined for any other error. */
function codeOf(error: unknown): number | undefined {
  const code = (error as Pkcs11Error | undefined)?.code;
  return typeof code === 'number' ? code : undefined;
}

const is =
  (...codes: readonly number[]) =>
  (error: unknown): boolean =>
    codes.includes(codeOf(error) ?? -1);

export const isAlreadyInitialized = is(CODE.alreadyInitialized);
export const isAlreadyLoggedIn = is(CODE.userAlreadyLoggedIn);
export const isBufferTooSmall = is(CODE.bufferTooSmall);
export const isNotInitialized = is(CODE.notInitialized);
export const isUnsupported = is(CODE.functionNotSupported, CODE.mechanismInvalid);
/** What modules answer to a ciphertext whose tag does not fit. */
export const isNotAuthentic = is(
  CODE.generalError,
  CODE.functionFailed,
  CODE.encryptedDataInvalid,
  CODE.encryptedDataLength,
  CODE.aeadDecryptFailed,
);
export const isPinRefused = (error: unknown): boolean => PIN_REFUSED.has(codeOf(error) ?? -1);
export const isSessionLost = (error: unknown): boolean => SESSION_LOST.has(codeOf(error) ?? -1);
export const isObjectLost = (error: unknown): boolean => OBJECT_LOST.has(codeOf(error) ?? -1);

/** A CK_ULONG attribute, little-endian in memory, to a number. */
export function ulongOf(bytes: Buffer): number {
  return bytes.length >= 8 ? Number(bytes.readBigUInt64LE()) : bytes.readUIntLE(0, Math.min(bytes.length, 4));
}
