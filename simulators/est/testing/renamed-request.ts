import { createPrivateKey, sign } from 'node:crypto';
import { bits, membersOf, oid, readDer, sequence, setOf, tagged } from '../der.ts';

/** The request once more, base64, with a changeSubjectName attribute of this value (RFC 6402 2.8), signed anew with its P-256 key. */
export function renamedRequest(request: Buffer, keyPem: Buffer, value: Buffer): string {
  const [info, algorithm] = membersOf(readDer(request));
  const [version, subject, spki] = info ? membersOf(info) : [];
  if (!algorithm || !version || !subject || !spki) throw new Error('the request cannot be read');
  const attributes = tagged(0, sequence(oid('1.3.6.1.5.5.7.7.36'), setOf(value)));
  const renamed = sequence(version.raw, subject.raw, spki.raw, attributes);
  const signature = sign('sha256', renamed, createPrivateKey(keyPem));
  return sequence(renamed, algorithm.raw, bits(signature)).toString('base64');
}
