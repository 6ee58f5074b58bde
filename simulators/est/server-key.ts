import { generateKeyPair, type KeyObject, randomBytes, type X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import { type Issuer, keyIdentifierOf, spkiOf } from './certificate.ts';
import { bodyOf, CERTS_ONLY_TYPE } from './certs-only.ts';
import { enveloped, type Recipient, signedKeyPackage } from './cms.ts';
import type { ServerKeyKind } from './profile.ts';
import { EstRefusal } from './refusal.ts';
import type { KeyDelivery } from './request-attributes.ts';

const generate = promisify(generateKeyPair);

/** A key pair that the server made for a client. */
export interface ServerKey {
  readonly spki: Buffer;
  /** PrivateKeyInfo, DER. */
  readonly pkcs8: Buffer;
  readonly keyType: 'rsa' | 'other';
}

/** Makes a key pair; RSA takes its time in OpenSSL's threads. */
export async function makeServerKey(kind: ServerKeyKind): Promise<ServerKey> {
  const [type, size] = kind.split('-');
  const { publicKey, privateKey }: { publicKey: KeyObject; privateKey: KeyObject } =
    type === 'rsa'
      ? await generate('rsa', { modulusLength: Number(size) })
      : await generate('ec', { namedCurve: size === 'p384' ? 'P-384' : 'P-256' });
  return {
    spki: spkiOf(publicKey),
    pkcs8: privateKey.export({ type: 'pkcs8', format: 'der' }),
    keyType: type === 'rsa' ? 'rsa' : 'other',
  };
}

/**
 * Who is to open the key: by an AES key that the profile knows, or by the RSA key of the client certificate.
 *
 * @throws EstRefusal 400 where the identifier names neither
 */
export function recipientFor(
  delivery: KeyDelivery,
  decryptKeys: Readonly<Record<string, string>>,
  leaf: X509Certificate | undefined,
): Recipient {
  const { kind, id } = delivery;
  const hex = id.toString('hex');
  if (kind === 'symmetric') {
    const key = Object.hasOwn(decryptKeys, hex) ? decryptKeys[hex] : undefined;
    if (key === undefined) throw new EstRefusal(400, `no decryption key ${hex} is known here`);
    return { kind, id, key: Buffer.from(key, 'hex') };
  }
  if (leaf?.publicKey.asymmetricKeyType !== 'rsa' || !keyIdentifierOf(spkiOf(leaf.publicKey)).equals(id))
    throw new EstRefusal(400, `the decryption key ${hex} is not the RSA key of the client certificate`);
  return { kind, id, key: leaf.publicKey };
}

/** The part of the answer with the key: its content type, and its DER. */
export function keyPart(key: ServerKey, recipient: Recipient | undefined, signer: Issuer): readonly [string, Buffer] {
  if (!recipient) return ['application/pkcs8', key.pkcs8];
  return [
    'application/pkcs7-mime; smime-type=server-generated-key',
    enveloped(signedKeyPackage(key.pkcs8, signer), recipient),
  ];
}

/** Body and content type of the two parts, key first (RFC 7030 4.4.2, RFC 2046 5.1.3). */
export function multipart(
  [keyType, keyDer]: readonly [string, Buffer],
  certificates: Buffer | string,
): { readonly contentType: string; readonly body: string } {
  const boundary = `TEST-${randomBytes(12).toString('hex')}`;
  const part = (type: string, body: string) =>
    `--${boundary}\r\nContent-Type: ${type}\r\nContent-Transfer-Encoding: base64\r\n\r\n${body.replace(/(\r?\n)?$/, '\r\n')}`;
  const keyText = Buffer.from(bodyOf(keyDer, 'wrapped')).toString('latin1');
  const body = `${part(keyType, keyText)}${part(CERTS_ONLY_TYPE, Buffer.from(certificates).toString('latin1'))}--${boundary}--\r\n`;
  return { contentType: `multipart/mixed; boundary=${boundary}`, body };
}
