export {
  type Certificate,
  fingerprint,
  formatChain,
  isExpired,
  parseChain,
  publicKeyOf,
  readCertificate,
} from './certificate.ts';
export { ChainError, isIssuedBy, orderChain } from './chain-order.ts';
export {
  basicConstraints,
  CLIENT_AUTH,
  createCsr,
  dnsNames,
  extendedKeyUsage,
  type KeyUsageBit,
  keyUsage,
  type WantedExtension,
} from './csr-create.ts';
export { type CertificateRequest, CsrError, parseCsr, type RawExtension } from './csr-parse.ts';
export { DerError, type DerNode, oidText, readDer, TAG } from './der.ts';
export { IssueError, type IssueRequest, issueCertificate } from './issue.ts';
export { commonNameEntries, encodeName, type NameEntries, NameError, subjectTableEntries } from './name.ts';
export { PemError } from './pem.ts';
export { Pkcs7Error, type Pkcs7Fault, readCertsOnlyPkcs7 } from './pkcs7.ts';
export { type SignatureAlgorithm, signatureAlgorithmOf, softwareSigner, type X509Signer } from './signer.ts';
