import Type, { type Static } from 'typebox';
import { ConfigError, DEFAULT_MAX_REQUESTS, ENDPOINTS, MAX_REQUESTS, nearest, UID } from '../config/index.ts';
import { type Pkcs11Uri, parsePkcs11Uri } from './pkcs11-uri.ts';
import { type PreloadedPlace, parsePreloadedUri } from './preloaded-uri.ts';
import type { Principal } from './principals.ts';

/** The other services wait 30 s for keyd. */
const DEFAULT_DEADLINE_SECONDS = 20;
const LONGEST_DEADLINE_SECONDS = 600;

/** What happens to a symmetric key that the token cannot hold: a file takes it, or the request fails. */
export type TokenFallback = 'file' | 'refuse';

/** Configuration of keyd (spec/keys-service.md 2.2). `[pkcs11]` is ours; the reference does not look at it. */
export const KEYD_SCHEMA = Type.Object({
  max_requests: MAX_REQUESTS,
  aziot_keys: Type.Optional(Type.Record(Type.String(), Type.String())),
  preloaded_keys: Type.Optional(Type.Record(Type.String(), Type.String())),
  principal: Type.Optional(Type.Array(Type.Object({ uid: UID, keys: Type.Array(Type.String()) }))),
  pkcs11: Type.Optional(
    Type.Object({
      fallback: Type.Optional(Type.Union([Type.Literal('file'), Type.Literal('refuse')])),
      deadline_seconds: Type.Optional(Type.Integer({ minimum: 1, maximum: LONGEST_DEADLINE_SECONDS })),
    }),
  ),
  endpoints: ENDPOINTS,
});

/** What keyd works with. */
export interface KeydSettings {
  readonly maxRequests: number;
  /** Folder whose subfolder `keys` holds file keys. */
  readonly homeFolder: string | undefined;
  readonly modulePath: string | undefined;
  /** Token in which new keys are made. */
  readonly baseSlot: Pkcs11Uri | undefined;
  readonly fallback: TokenFallback;
  /** Milliseconds that a call of the PKCS#11 module may take. */
  readonly deadlineMs: number;
  readonly preloaded: ReadonlyMap<string, PreloadedPlace>;
  readonly principals: readonly Principal[];
}

const PARAMETERS = ['homedir_path', 'pkcs11_base_slot', 'pkcs11_lib_path'];

function noNul(name: string, value: string): string {
  if (name.includes('\0') || value.includes('\0')) {
    throw new ConfigError(`${JSON.stringify(name)} holds a NUL character; remove it`);
  }
  return value;
}

function within<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new ConfigError(`${what} cannot be used: ${(error as Error).message}`);
  }
}

/** Checks what the schema cannot, and turns the tables into places. Throws {@link ConfigError}; no message holds a PIN. */
export function readSettings(value: Static<typeof KEYD_SCHEMA>): KeydSettings {
  const parameters = value.aziot_keys ?? {};
  for (const [name, text] of Object.entries(parameters)) {
    if (!PARAMETERS.includes(name)) {
      const meant = nearest(name, PARAMETERS);
      const hint = meant ? `; did you mean "${meant}"?` : `; known are ${PARAMETERS.join(', ')}`;
      throw new ConfigError(`key "aziot_keys.${name}" is not known${hint}`);
    }
    noNul(`aziot_keys.${name}`, text);
  }
  const preloaded = new Map<string, PreloadedPlace>();
  for (const [id, uri] of Object.entries(value.preloaded_keys ?? {})) {
    if (id === '') throw new ConfigError('a key of [preloaded_keys] is empty; give it the id of the key');
    noNul(id, uri);
    preloaded.set(
      id,
      within(`the URI of preloaded key "${id}"`, () => parsePreloadedUri(uri)),
    );
  }
  const baseSlot = parameters['pkcs11_base_slot'];
  return {
    maxRequests: value.max_requests ?? DEFAULT_MAX_REQUESTS,
    homeFolder: parameters['homedir_path'],
    modulePath: parameters['pkcs11_lib_path'],
    baseSlot:
      baseSlot === undefined ? undefined : within('key "aziot_keys.pkcs11_base_slot"', () => parsePkcs11Uri(baseSlot)),
    fallback: value.pkcs11?.fallback ?? 'file',
    deadlineMs: (value.pkcs11?.deadline_seconds ?? DEFAULT_DEADLINE_SECONDS) * 1000,
    preloaded,
    principals: value.principal ?? [],
  };
}
