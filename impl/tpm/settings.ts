import Type, { type Static } from 'typebox';
import { ConfigError, DEFAULT_MAX_REQUESTS, ENDPOINTS, MAX_REQUESTS } from '../config/index.ts';
import { type Handle, PERSISTENT_BASE, toHandle } from './constants.ts';

/** A text, or its bytes as the reference's serialiser writes C strings: `tcti = [115, 119, …]` (spec/tpm-service.md 2). */
const TEXT = Type.Optional(Type.Union([Type.String(), Type.Array(Type.Integer({ minimum: 0, maximum: 255 }))]));

/** Configuration of tpmd (spec/tpm-service.md 2). */
export const TPMD_SCHEMA = Type.Object({
  max_requests: MAX_REQUESTS,
  tcti: TEXT,
  auth_key_index: Type.Optional(Type.Integer()),
  hierarchy_authorization: Type.Optional(Type.Object({ endorsement: TEXT, owner: TEXT })),
  endpoints: ENDPOINTS,
});

const DEFAULT_TCTI = 'device';
const DEFAULT_INDEX = 0x00_01_00;
const LARGEST_INDEX = 0x7f_ff_ff;
/** What a hierarchy of a SHA-256 TPM takes (stricter than the reference, which fails later). */
const LONGEST_AUTH_BYTES = 32;

/** What tpmd works with. */
export interface TpmdSettings {
  readonly maxRequests: number;
  readonly tcti: string;
  /** The persistent handle of the auth key. */
  readonly slot: Handle;
  /** Auth values of the hierarchies: UTF-8 bytes, empty where none is set. */
  readonly ownerAuth: Buffer;
  readonly endorsementAuth: Buffer;
}

function bytesOf(key: string, value: string | number[] | undefined): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : Buffer.from(value ?? []);
  const nul = bytes.indexOf(0);
  if (nul >= 0) throw new ConfigError(`key "${key}" holds a NUL at position ${nul}; remove it`);
  return bytes;
}

function authOf(key: string, value: string | number[] | undefined): Buffer {
  const bytes = bytesOf(key, value);
  if (bytes.length > LONGEST_AUTH_BYTES) {
    throw new ConfigError(`key "${key}" has ${bytes.length} bytes; a hierarchy takes at most ${LONGEST_AUTH_BYTES}`);
  }
  return bytes;
}

/** Checks what the schema cannot. Throws {@link ConfigError}; no message holds an auth value. */
export function readSettings(value: Static<typeof TPMD_SCHEMA>): TpmdSettings {
  const index = value.auth_key_index ?? DEFAULT_INDEX;
  if (index < 0 || index > LARGEST_INDEX) {
    throw new ConfigError(`key "auth_key_index" is ${index}; it must be in the range 0x00_00_00..=0x7F_FF_FF`);
  }
  const hierarchies = value.hierarchy_authorization ?? {};
  return {
    maxRequests: value.max_requests ?? DEFAULT_MAX_REQUESTS,
    tcti: value.tcti === undefined ? DEFAULT_TCTI : bytesOf('tcti', value.tcti).toString('utf8'),
    slot: toHandle(PERSISTENT_BASE + index),
    ownerAuth: authOf('hierarchy_authorization.owner', hierarchies.owner),
    endorsementAuth: authOf('hierarchy_authorization.endorsement', hierarchies.endorsement),
  };
}
