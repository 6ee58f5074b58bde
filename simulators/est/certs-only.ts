import type { X509Certificate } from 'node:crypto';
import { Set as Asn1Set, Constructed, fromBER, Integer, ObjectIdentifier, OctetString, Sequence } from 'asn1js';
import type { BodyForm } from './quirks.ts';

const SIGNED_DATA = '1.2.840.113549.1.7.2';
const DATA = '1.2.840.113549.1.7.1';

/** Content type of a certs-only answer (RFC 7030 4.1.3 and 4.2.3). */
export const CERTS_ONLY_TYPE = 'application/pkcs7-mime; smime-type=certs-only';

/** A certs-only PKCS#7 message, DER: signedData without content and signers (RFC 5272 4.1, "simple" response). */
export function certsOnly(certificates: readonly X509Certificate[]): Buffer {
  const encoded = certificates.map(({ raw }) => fromBER(new Uint8Array(raw).buffer).result);
  const signedData = new Sequence({
    value: [
      new Integer({ value: 1 }),
      new Asn1Set({ value: [] }),
      new Sequence({ value: [new ObjectIdentifier({ value: DATA })] }),
      new Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: encoded }),
      new Asn1Set({ value: [] }),
    ],
  });
  const message = new Sequence({
    value: [
      new ObjectIdentifier({ value: SIGNED_DATA }),
      new Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [signedData] }),
    ],
  });
  return Buffer.from(message.toBER());
}

/** A PKCS#7 message of type data, DER, that holds no certificate wherever one looks. */
export function dataMessage(): Buffer {
  const content = new Constructed({ idBlock: { tagClass: 3, tagNumber: 0 }, value: [new OctetString()] });
  return Buffer.from(new Sequence({ value: [new ObjectIdentifier({ value: DATA }), content] }).toBER());
}

const linesOf = (text: string, end: string): string =>
  (text.match(/.{1,64}/g) ?? []).map((line) => line + end).join('');

/** The body of an answer: base64 as RFC 8951 wants it, in lines of 64 with CRLF or in one; or what a client may meet instead. */
export function bodyOf(der: Buffer, form: BodyForm): Buffer | string {
  const text = der.toString('base64');
  switch (form) {
    case 'wrapped':
      return linesOf(text, '\r\n');
    case 'unwrapped':
      return text;
    case 'pem':
      return `-----BEGIN PKCS7-----\n${linesOf(text, '\n')}-----END PKCS7-----\n`;
    case 'der':
      return der;
    case 'bad-base64':
      return linesOf(`*${text.slice(1)}`, '\r\n');
  }
}
