export { type CertdClient, createCertdClient, isAbsent } from './certd-client.ts';
export { createKeydClient, type KeydClient, type KeyHandle, type KeyUsage } from './keyd-client.ts';
export { keydPublicKey, keydSigner, keydSignerFor } from './keyd-signer.ts';
