import { createHash, createPublicKey, ECDH, type KeyObject } from 'node:crypto';
import { ClientError, decodeBase64 } from '../ipc/index.ts';
import type { X509Signer } from '../x509/index.ts';
import type { KeydClient, KeyHandle } from './keyd-client.ts';

/** DER of the OID of P-256, base64: the only curve that keyd names (spec/keys-service.md 6.3). */
const P256_OID = 'BggqhkjOPQMBBw==';
/** SubjectPublicKeyInfo of a P-256 key up to the uncompressed point (RFC 5480 2). */
const P256_SPKI_HEAD = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');
/** DigestInfo of SHA-256 up to the digest (RFC 8017 9.2, note 1). */
const SHA256_DIGEST_INFO_HEAD = Buffer.from('3031300d060960864801650304020105000420', 'hex');

async function ecPublicKey(keyd: KeydClient, handle: KeyHandle): Promise<KeyObject> {
  const curve = await keyd.keyPairParameter(handle, 'ec-curve-oid');
  if (curve !== P256_OID) throw new ClientError('malformed', 'keyd named a curve other than P-256');
  const point = decodeBase64(await keyd.keyPairParameter(handle, 'ec-point'));
  const uncompressed = ECDH.convertKey(point, 'prime256v1', undefined, undefined, 'uncompressed') as Buffer;
  return createPublicKey({ key: Buffer.concat([P256_SPKI_HEAD, uncompressed]), format: 'der', type: 'spki' });
}

async function rsaPublicKey(keyd: KeydClient, handle: KeyHandle): Promise<KeyObject> {
  const [modulus, exponent] = await Promise.all([
    keyd.keyPairParameter(handle, 'rsa-modulus'),
    keyd.keyPairParameter(handle, 'rsa-exponent'),
  ]);
  const url = (text: string) => decodeBase64(text).toString('base64url');
  return createPublicKey({ key: { kty: 'RSA', n: url(modulus), e: url(exponent) }, format: 'jwk' });
}

/** The public half of a key pair of keyd. Throws {@link ClientError}; a P-384 pair is refused by keyd itself. */
export async function keydPublicKey(keyd: KeydClient, handle: KeyHandle): Promise<KeyObject> {
  const algorithm = await keyd.keyPairParameter(handle, 'algorithm');
  if (algorithm === 'ECDSA') return ecPublicKey(keyd, handle);
  if (algorithm === 'RSA') return rsaPublicKey(keyd, handle);
  throw new ClientError('malformed', 'keyd named an algorithm that is neither ECDSA nor RSA');
}

/**
 * Signs requests and certificates with a key pair that stays in keyd: ECDSA over the SHA-256 digest by `/sign`,
 * RSA PKCS#1 v1.5 over the DigestInfo by `/encrypt` (spec/certificates-service.md 6). Throws {@link ClientError}.
 */
export async function keydSigner(keyd: KeydClient, handle: KeyHandle): Promise<X509Signer> {
  return keydSignerFor(keyd, await keydPublicKey(keyd, handle), handle);
}

/** As {@link keydSigner} for a pair whose public half is known. keyd is not asked whether it is; the signature tells. */
export function keydSignerFor(keyd: KeydClient, publicKey: KeyObject, handle: KeyHandle): X509Signer {
  const digestOf = (tbs: Uint8Array) => createHash('sha256').update(tbs).digest();
  if (publicKey.asymmetricKeyType === 'ec') {
    return {
      publicKey,
      signatureAlgorithm: 'ecdsa-with-SHA256',
      sign: (tbs) => keyd.sign(handle, { algorithm: 'ECDSA', digest: digestOf(tbs) }),
    };
  }
  return {
    publicKey,
    signatureAlgorithm: 'sha256WithRSAEncryption',
    sign: (tbs) => keyd.encryptRsa(handle, 'RSA-PKCS1', Buffer.concat([SHA256_DIGEST_INFO_HEAD, digestOf(tbs)])),
  };
}
