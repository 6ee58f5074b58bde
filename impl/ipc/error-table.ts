/**
 * Every error that a daemon answers, one row each: status, text of `message`, and what the caller or operator can do.
 * `{name}` stands for a parameter of {@link ServiceError}. `docs/errors.md` lists the same rows; a test compares them.
 * Sources: spec/transport.md 6, keys-service.md 3.3, certificates-service.md 4.1, identity-service.md 2.2.
 */
export const ERROR_TABLE = {
  'version-missing': { status: 400, message: 'api-version not specified', hint: 'add ?api-version=… to the request' },
  'version-unknown': {
    status: 400,
    message: 'invalid api-version {value}',
    hint: 'use a version that the daemon knows',
  },
  'not-found': {
    status: 404,
    message: 'not found',
    hint: 'check path and api-version; newer paths need a newer version',
  },
  'method-not-allowed': { status: 400, message: 'method not allowed', hint: 'use a method that this path offers' },
  'body-missing': {
    status: 400,
    message: 'missing request body',
    hint: 'send a JSON body with content-type application/json',
  },
  'body-unreadable': { status: 400, message: 'could not read request body', hint: 'send the whole body, then wait' },
  'body-timeout': { status: 408, message: 'deadline has elapsed', hint: 'send the whole body within 5 s of the head' },
  'body-too-large': { status: 413, message: 'request body is larger than {limit} bytes', hint: 'send less at a time' },
  'body-not-json': {
    status: 415,
    message: 'request body must be application/json',
    hint: 'set content-type to application/json',
  },
  'body-invalid': { status: 422, message: '{text}', hint: 'mend the JSON text or its members' },
  'parameter-invalid': {
    status: 400,
    message: 'parameter "{name}" has an invalid value',
    hint: 'the lines after the first name the cause',
  },
  'key-parameter-invalid': {
    status: 400,
    message: 'a parameter has an invalid value',
    hint: 'the key does not exist, has no place to live in, or is of another kind',
  },
  'key-move-same': {
    status: 400,
    message: 'source and destination for move are identical',
    hint: 'name two different key ids',
  },
  'key-move-type': { status: 400, message: 'invalid type "{type}"', hint: 'only key pairs can be moved' },
  'key-unauthorized': {
    status: 401,
    message: 'user {uid} is not authorized to access the key {id}',
    hint: 'add a [[principal]] with this uid and a pattern in keys to the configuration of keyd',
  },
  'cert-unauthorized': {
    status: 401,
    message: 'user {uid} is not authorized to modify the cert {id}',
    hint: 'add a [[principal]] with this uid and a pattern in certs to the configuration of certd',
  },
  unauthorized: {
    status: 401,
    message: 'authorization error',
    hint: 'add a [[principal]] with this uid to the configuration of identityd',
  },
  'device-not-found': {
    status: 400,
    message: 'device identity not found',
    hint: 'provision the device: see [provisioning] and the log of identityd',
  },
  'module-not-found': {
    status: 400,
    message: 'module identity not found',
    hint: 'the hub returned a module without a generation id: create it anew',
  },
  'hub-failed': { status: 404, message: 'Hub client error', hint: 'the lines after the first name the cause' },
  'dps-failed': { status: 404, message: 'DPS client error', hint: 'the lines after the first name the cause' },
  'dps-nested': {
    status: 404,
    message: 'DPS provisioning is not supported in nested mode',
    hint: 'remove local_gateway_hostname or use manual provisioning',
  },
  'key-client-failed': {
    status: 404,
    message: 'Key client error',
    hint: 'check that keyd runs and that identityd may use the device key',
  },
  'token-away': {
    status: 503,
    message: 'the token that holds the key does not answer',
    hint: 'try again after the seconds of Retry-After; the log of keyd names the cause',
  },
  internal: { status: 500, message: 'internal error', hint: 'the log of the daemon has the details' },
  busy: {
    status: 503,
    message: 'too many connections of user {uid}',
    hint: 'close connections, or raise max_requests',
  },
} as const satisfies Record<string, { status: number; message: string; hint: string }>;

/** The closed set of error codes. */
export type ErrorCode = keyof typeof ERROR_TABLE;
