import { integer, linesOf, octets, oid, pem, sequence, setOf, TAG, tagged } from './der.ts';
import type { BodyForm } from './quirks.ts';

const SIGNED_DATA = oid('1.2.840.113549.1.7.2');
const DATA = oid('1.2.840.113549.1.7.1');
const VERSION_1 = integer(1);
const NOBODY = setOf();

/** Content type of a certs-only answer (RFC 7030 4.1.3 and 4.2.3). */
export const CERTS_ONLY_TYPE = 'application/pkcs7-mime; smime-type=certs-only';

/**
 * A certs-only PKCS#7 message, DER: signedData without content and signers (RFC 5272 4.1, "simple" response).
 *
 * @param certificates DER, in the order given: a SET sorted anew would hide the order from who wants to test it.
 * @param crls DER.
 */
export function certsOnly(certificates: readonly Buffer[], crls: readonly Buffer[] = []): Buffer {
  const lists = crls.length > 0 ? [tagged(1, ...crls)] : [];
  const signedData = sequence(VERSION_1, NOBODY, sequence(DATA), tagged(0, ...certificates), ...lists, NOBODY);
  return sequence(SIGNED_DATA, tagged(0, signedData));
}

/** A PKCS#7 message of type data, DER, that holds no certificate wherever one looks. */
export const dataMessage = (): Buffer => sequence(DATA, tagged(0, octets(Buffer.alloc(0))));

/** signedData that lacks the certificates field. */
export function withoutCertificates(): Buffer {
  return sequence(SIGNED_DATA, tagged(0, sequence(VERSION_1, NOBODY, sequence(DATA), NOBODY)));
}

const INDEFINITE = Buffer.of(0x80);
const END = Buffer.of(0, 0);

/** The same message in BER with indefinite lengths, as streaming writers send it. */
export function certsOnlyIndefinite(certificates: readonly Buffer[]): Buffer {
  const open = (tag: number, ...contents: readonly Buffer[]) =>
    Buffer.concat([Buffer.of(tag), INDEFINITE, ...contents, END]);
  const signedData = open(
    TAG.sequence,
    VERSION_1,
    NOBODY,
    open(TAG.sequence, DATA),
    open(0xa0, ...certificates),
    NOBODY,
  );
  return open(TAG.sequence, SIGNED_DATA, open(0xa0, signedData));
}

/** The body of an answer: base64 as RFC 8951 wants it, in lines of 64 with CRLF or in one; or what a client may meet instead. */
export function bodyOf(message: Buffer, form: BodyForm): Buffer | string {
  switch (form) {
    case 'wrapped':
      return linesOf(message.toString('base64'), '\r\n');
    case 'wrapped-lf':
      return linesOf(message.toString('base64'), '\n');
    case 'unwrapped':
      return message.toString('base64');
    case 'pem':
      return pem('PKCS7', message);
    case 'der':
      return message;
    case 'bad-base64':
      return linesOf(`*${message.toString('base64').slice(1)}`, '\r\n');
  }
}
