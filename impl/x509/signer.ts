import { type KeyObject, sign } from 'node:crypto';
import { DerError, oid, sequence } from './der.ts';

/** The two ways in which requests and certificates are signed (spec/certificates-service.md 6.1). */
export type SignatureAlgorithm = 'ecdsa-with-SHA256' | 'sha256WithRSAEncryption';

/** A private key that may live elsewhere: this process sees its public half and asks for signatures. */
export interface X509Signer {
  readonly publicKey: KeyObject;
  readonly signatureAlgorithm: SignatureAlgorithm;
  /** Signs the bytes (hashing them with SHA-256 itself); ECDSA signatures are DER, RSA ones PKCS#1 v1.5. */
  sign(tbs: Uint8Array): Promise<Uint8Array>;
}

/**
 * The algorithm that goes with a key.
 *
 * @throws DerError for a key that is neither EC nor RSA.
 */
export function signatureAlgorithmOf(publicKey: KeyObject): SignatureAlgorithm {
  if (publicKey.asymmetricKeyType === 'ec') return 'ecdsa-with-SHA256';
  if (publicKey.asymmetricKeyType === 'rsa') return 'sha256WithRSAEncryption';
  throw new DerError(`keys of type "${publicKey.asymmetricKeyType}" cannot sign certificates; use EC or RSA`);
}

/** AlgorithmIdentifier: without parameters for ECDSA (RFC 5758 3.2), with NULL for RSA (RFC 4055 5). */
export function algorithmIdentifier(algorithm: SignatureAlgorithm): Buffer {
  return algorithm === 'ecdsa-with-SHA256'
    ? sequence(oid('1.2.840.10045.4.3.2'))
    : sequence(oid('1.2.840.113549.1.1.11'), Buffer.of(0x05, 0x00));
}

/** A signer over a private key in this process, signing on the thread pool. The daemons never hold one: it serves tests and tools. */
export function softwareSigner(privateKey: KeyObject, publicKey: KeyObject): X509Signer {
  return {
    publicKey,
    signatureAlgorithm: signatureAlgorithmOf(publicKey),
    sign: (tbs) =>
      new Promise((resolve, reject) => {
        sign('sha256', tbs, privateKey, (error, signature) => (error ? reject(error) : resolve(signature)));
      }),
  };
}
