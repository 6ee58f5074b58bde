export { Base64, decodeBase64, isBase64 } from './base64.ts';
export { ClientError, type ClientRequest, createUnixClient, type UnixClient } from './client.ts';
export { ERROR_TABLE, type ErrorCode } from './error-table.ts';
export { matchesIdPattern } from './id-pattern.ts';
export {
  type Call,
  type Method,
  plain,
  type Reply,
  type Route,
  type ServiceApi,
  withBody,
  withOptionalBody,
} from './route.ts';
export { type ServeOptions, serve } from './serve.ts';
export { internalError, invalidParameter, ServiceError } from './service-error.ts';
export { ROOT, toUid, type Uid } from './uid.ts';
