import Type from 'typebox';
import { ENDPOINTS, MAX_REQUESTS, UID } from '../config/index.ts';

const Text = Type.String();
const OptionalText = Type.Optional(Type.String());
/** A subject: attribute names to values. */
const SUBJECT = Type.Record(Type.String(), Type.String());

const AUTO_RENEW = Type.Object({ rotate_key: Type.Boolean(), threshold: Text, retry: Text });

const AUTHENTICATION = Type.Object({
  method: Type.Union([Type.Literal('sas'), Type.Literal('x509')]),
  device_id_pk: OptionalText,
  identity_cert: OptionalText,
  identity_pk: OptionalText,
  csr_subject: Type.Optional(Type.Union([Type.String(), SUBJECT])),
});

const ATTESTATION = Type.Object({
  method: Type.Union([Type.Literal('symmetric_key'), Type.Literal('x509'), Type.Literal('tpm')]),
  registration_id: Type.Optional(Type.Union([Type.String(), SUBJECT])),
  symmetric_key: OptionalText,
  identity_cert: OptionalText,
  identity_pk: OptionalText,
  identity_auto_renew: Type.Optional(AUTO_RENEW),
});

/** Every key of `[provisioning]`; which of them a source needs is checked when it is read. */
const PROVISIONING = Type.Object({
  source: Type.Union([Type.Literal('manual'), Type.Literal('dps'), Type.Literal('none')]),
  local_gateway_hostname: OptionalText,
  iothub_hostname: OptionalText,
  device_id: OptionalText,
  authentication: Type.Optional(AUTHENTICATION),
  global_endpoint: OptionalText,
  scope_id: OptionalText,
  payload: Type.Optional(Type.Object({ uri: Text })),
  attestation: Type.Optional(ATTESTATION),
});

/** `localid` of a principal, and `localIdOpts` of a request. */
const LOCAL_ID_OPTIONS = Type.Object({
  type: Type.Literal('x509'),
  attributes: Type.Optional(Type.Union([Type.Literal('client'), Type.Literal('server')])),
});

const ID_TYPE = Type.Union([Type.Literal('device'), Type.Literal('module'), Type.Literal('local')]);

/** Schema of a `[[principal]]`. */
export const PRINCIPAL = Type.Object({
  uid: UID,
  name: Text,
  idtype: Type.Optional(Type.Array(ID_TYPE)),
  localid: Type.Optional(LOCAL_ID_OPTIONS),
});

/** identityd's configuration as written (spec/identity-service.md 3.1). */
export const SETTINGS = Type.Object({
  hostname: Text,
  homedir: Text,
  prefer_module_identity_cache: Type.Optional(Type.Boolean()),
  max_requests: MAX_REQUESTS,
  cloud_timeout_sec: Type.Optional(Type.Integer({ minimum: 0 })),
  cloud_retries: Type.Optional(Type.Integer({ minimum: 0, maximum: 0xffff_ffff })),
  provisioning: PROVISIONING,
  principal: Type.Optional(Type.Array(PRINCIPAL)),
  localid: Type.Optional(Type.Object({ domain: Text })),
  endpoints: ENDPOINTS,
});
