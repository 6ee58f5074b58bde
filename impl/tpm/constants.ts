/** Numbers of the TPM 2.0 Library Specification, Part 2 (structures), as far as tpmd uses them. */

/** TPM_CC: command codes. */
export const COMMANDS = {
  EvictControl: 0x120,
  CreatePrimary: 0x131,
  SequenceComplete: 0x13e,
  ActivateCredential: 0x147,
  PolicySecret: 0x151,
  HMAC: 0x155,
  Import: 0x156,
  Load: 0x157,
  HMAC_Start: 0x15b,
  SequenceUpdate: 0x15c,
  FlushContext: 0x165,
  ReadPublic: 0x173,
  StartAuthSession: 0x176,
  GetCapability: 0x17a,
  PolicyGetDigest: 0x189,
} as const;
export type CommandName = keyof typeof COMMANDS;

/** A TPM handle: 32 bits. */
export type Handle = number & { readonly __brand: 'Handle' };
export const toHandle = (value: number): Handle => (value >>> 0) as Handle;

export const HANDLES = {
  owner: toHandle(0x4000_0001),
  null: toHandle(0x4000_0007),
  password: toHandle(0x4000_0009),
  endorsement: toHandle(0x4000_000b),
  endorsementKey: toHandle(0x8101_0001),
  storageRootKey: toHandle(0x8100_0001),
} as const;

/** First persistent handle of the owner hierarchy; `auth_key_index` counts from here. */
export const PERSISTENT_BASE = 0x8100_0000;

export const ALGORITHMS = {
  rsa: 0x0001,
  hmac: 0x0005,
  aes: 0x0006,
  keyedHash: 0x0008,
  sha256: 0x000b,
  null: 0x0010,
  cfb: 0x0043,
} as const;

/** TPMA_OBJECT bits. */
export const ATTRIBUTES = {
  fixedTpm: 1 << 1,
  fixedParent: 1 << 4,
  userWithAuth: 1 << 6,
  adminWithPolicy: 1 << 7,
  restricted: 1 << 16,
  decrypt: 1 << 17,
  sign: 1 << 18,
} as const;

/** Where TPM2_GetCapability begins to list: TPM_HT_TRANSIENT, TPM_HT_LOADED_SESSION. */
export const FIRST_HANDLES = { transient: toHandle(0x8000_0000), session: toHandle(0x0200_0000) } as const;
/** TPM_HT_POLICY_SESSION: the first byte of the handle of a policy session. */
export const POLICY_SESSION_TYPE = 0x03;
/** TPM_CAP_HANDLES. */
export const CAPABILITY_HANDLES = 1;

/** TPM_SE_POLICY. */
export const POLICY_SESSION = 0x01;
/** TPMA_SESSION continueSession: the session outlives its command. */
export const CONTINUE_SESSION = 0x01;

/** TPM_RC: response codes that are dealt with by name. */
export const RESPONSES = {
  success: 0,
  /** No TPM2_Startup since the TPM was powered on. */
  initialize: 0x100,
  /** No room for another persistent object. */
  nvSpace: 0x14b,
  nvDefined: 0x14c,
  /** TPM_RC_HANDLE for the first handle: nothing is there. */
  noSuchHandle: 0x18b,
  yielded: 0x908,
  testing: 0x90a,
  nvRate: 0x920,
  retry: 0x922,
} as const;
