import { constants, createCipheriv, createHash, type KeyObject, publicEncrypt, randomBytes, sign } from 'node:crypto';
import { type Issuer, issuerAndSerial } from './certificate.ts';
import { der, integer, nothing, octets, oid, sequence, setOf, TAG, tagged } from './der.ts';

const SIGNED_DATA = oid('1.2.840.113549.1.7.2');
const ENVELOPED_DATA = oid('1.2.840.113549.1.7.3');
const KEY_PACKAGE = oid('2.16.840.1.101.2.1.2.78.5');
const SHA256 = sequence(oid('2.16.840.1.101.3.4.2.1'));
const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'));
const RSA_SHA256 = sequence(oid('1.2.840.113549.1.1.11'), nothing());
const CONTENT_TYPE = oid('1.2.840.113549.1.9.3');
const MESSAGE_DIGEST = oid('1.2.840.113549.1.9.4');
const AES256_CBC = oid('2.16.840.1.101.3.4.1.42');
const MGF1 = oid('1.2.840.113549.1.1.8');
const OAEP = oid('1.2.840.113549.1.1.7');
const OAEP_SHA256 = sequence(OAEP, sequence(tagged(0, SHA256), tagged(1, sequence(MGF1, SHA256))));

/** AES key wrap by key length in bytes (RFC 3394, RFC 3565). */
const WRAPS = new Map([
  [16, { cipher: 'id-aes128-wrap', algorithm: oid('2.16.840.1.101.3.4.1.5') }],
  [24, { cipher: 'id-aes192-wrap', algorithm: oid('2.16.840.1.101.3.4.1.25') }],
  [32, { cipher: 'id-aes256-wrap', algorithm: oid('2.16.840.1.101.3.4.1.45') }],
]);
const WRAP_IV = Buffer.alloc(8, 0xa6);

/** Who may open an enveloped message. */
export type Recipient =
  | { readonly kind: 'symmetric'; readonly id: Buffer; readonly key: Buffer }
  /** An RSA key, named by its subject key identifier. */
  | { readonly kind: 'asymmetric'; readonly id: Buffer; readonly key: KeyObject };

/** SignedData around an AsymmetricKeyPackage with one private key, PKCS#8 (RFC 5958, RFC 5652 5.1). */
export function signedKeyPackage(pkcs8: Buffer, by: Issuer): Buffer {
  const content = sequence(pkcs8);
  const digest = createHash('sha256').update(content).digest();
  const attributes = [sequence(CONTENT_TYPE, setOf(KEY_PACKAGE)), sequence(MESSAGE_DIGEST, setOf(octets(digest)))];
  // signed as a SET OF, sent under an implicit tag (RFC 5652 5.4)
  const toSign = setOf(...attributes);
  const sent = Buffer.from(toSign);
  sent[0] = 0xa0;
  const signer = sequence(
    integer(1),
    issuerAndSerial(by.certificate),
    SHA256,
    sent,
    by.privateKey.asymmetricKeyType === 'rsa' ? RSA_SHA256 : ECDSA_SHA256,
    octets(sign('sha256', toSign, by.privateKey)),
  );
  return sequence(
    integer(3),
    setOf(SHA256),
    sequence(KEY_PACKAGE, tagged(0, octets(content))),
    tagged(0, by.certificate),
    setOf(signer),
  );
}

function recipientInfo(recipient: Recipient, contentKey: Buffer): Buffer {
  if (recipient.kind === 'asymmetric') {
    const key = { key: recipient.key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' };
    return sequence(integer(2), der(0x80, recipient.id), OAEP_SHA256, octets(publicEncrypt(key, contentKey)));
  }
  const wrap = WRAPS.get(recipient.key.length);
  if (!wrap) throw new Error('AES keys have 16, 24 or 32 bytes');
  const cipher = createCipheriv(wrap.cipher, recipient.key, WRAP_IV);
  const wrapped = Buffer.concat([cipher.update(contentKey), cipher.final()]);
  return tagged(2, integer(4), sequence(octets(recipient.id)), sequence(wrap.algorithm), octets(wrapped));
}

/** ContentInfo of EnvelopedData around a SignedData, AES-256-CBC (RFC 5652 6.1; RFC 7030 4.4.2). */
export function enveloped(signedData: Buffer, recipient: Recipient): Buffer {
  const contentKey = randomBytes(32);
  const iv = randomBytes(16);
  const cipher = createCipheriv('aes-256-cbc', contentKey, iv);
  const encrypted = Buffer.concat([cipher.update(signedData), cipher.final()]);
  const content = sequence(SIGNED_DATA, sequence(AES256_CBC, octets(iv)), der(0x80, encrypted));
  const data = sequence(integer(2), der(TAG.set, recipientInfo(recipient, contentKey)), content);
  return sequence(ENVELOPED_DATA, tagged(0, data));
}
