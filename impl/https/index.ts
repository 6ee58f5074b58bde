export { runExchange } from './exchange.ts';
export { HttpsError, type HttpsErrorKind } from './https-error.ts';
export { type ProxySettings, proxyFrom } from './proxy.ts';
export type { ClientCredential, HttpsRequest, HttpsResponse } from './request.ts';
export { type SendHttps, type SendHttpsOptions, sendHttps } from './send.ts';
export { loadTrust, type TrustStore } from './trust.ts';
