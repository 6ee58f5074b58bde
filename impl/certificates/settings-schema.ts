import Type from 'typebox';
import { ENDPOINTS, MAX_REQUESTS, UID } from '../config/index.ts';

const Anything = Type.Optional(Type.Unknown());

/** Keys of an authentication block; a wrong type there costs the pair, not the service (spec/certificates-service.md 7). */
const AUTH_KEYS = {
  username: Anything,
  password: Anything,
  identity_cert: Anything,
  identity_pk: Anything,
  bootstrap_identity_cert: Anything,
  bootstrap_identity_pk: Anything,
} as const;

/** Everything that stands below one certificate id of `[cert_issuance]`. */
export const ISSUANCE_ENTRY = Type.Object({
  method: Type.Union([Type.Literal('est'), Type.Literal('local_ca'), Type.Literal('self_signed')]),
  expiry_days: Type.Optional(Type.Integer({ minimum: 1, maximum: 0xffff_ffff })),
  common_name: Anything,
  subject: Anything,
  url: Anything,
  ...AUTH_KEYS,
});

const AUTO_RENEW = Type.Object({
  rotate_key: Type.Optional(Type.Boolean()),
  threshold: Type.Optional(Type.String()),
  retry: Type.Optional(Type.String()),
  operation: Type.Optional(Type.Union([Type.Literal('simpleenroll'), Type.Literal('simplereenroll')])),
});

/** `[cert_issuance.est]`. */
export const EST = Type.Object({
  trusted_certs: Type.Optional(Type.Array(Type.String())),
  ...AUTH_KEYS,
  auth: Type.Optional(Type.Object(AUTH_KEYS)),
  csr_attributes: Type.Optional(Type.Boolean()),
  identity_auto_renew: Type.Optional(AUTO_RENEW),
  urls: Type.Optional(Type.Record(Type.String(), Type.String())),
});

const LOCAL_CA = Type.Object({ cert: Type.String(), pk: Type.String() });

/** `est` and `local_ca` are reserved, every other key is a certificate id. */
const CERT_ISSUANCE = Type.Intersect([
  Type.Object({ est: Type.Optional(EST), local_ca: Type.Optional(LOCAL_CA) }),
  Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    patternProperties: { '^(?!(?:est|local_ca)$)': ISSUANCE_ENTRY },
  }),
]);

/** certd's configuration as written (spec/certificates-service.md 7). */
export const SETTINGS = Type.Object({
  homedir_path: Type.String({ minLength: 1 }),
  max_requests: MAX_REQUESTS,
  cert_issuance: Type.Optional(CERT_ISSUANCE),
  preloaded_certs: Type.Optional(Type.Record(Type.String(), Type.Union([Type.String(), Type.Array(Type.String())]))),
  principal: Type.Optional(Type.Array(Type.Object({ uid: UID, certs: Type.Array(Type.String()) }))),
  endpoints: ENDPOINTS,
});
