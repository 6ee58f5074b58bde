import 'reflect-metadata';
import { generateKeyPairSync, type X509Certificate } from 'node:crypto';
import { Name, X509Certificate as ReadCertificate } from '@peculiar/x509';
import { readPemChain, type TestCa } from '../common/index.ts';
import type { VerifiedRequest } from './certificate-request.ts';
import { EstRefusal } from './refusal.ts';
import { markForTests } from './subject-mark.ts';

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const CLIENT_AUTH = ['clientAuth'] as const;

/** How the authority issues. */
export interface IssuingRule {
  readonly ca: TestCa;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** For the request's own key, or for another one, as a server that mixes answers up would. */
  readonly key: 'own' | 'foreign';
}

function strangeKey(): string {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return publicKey.export({ type: 'spki', format: 'pem' }) as string;
}

/** Issues for the request: its subject and extensions, for TLS clients unless it asks for other purposes, never a CA. */
export async function issueFor(request: VerifiedRequest, rule: IssuingRule): Promise<X509Certificate> {
  const { notBefore, notAfter } = rule;
  const wish = { subject: markForTests(request.subject), extendedKeyUsages: CLIENT_AUTH, notBefore, notAfter };
  const keyed = rule.key === 'own' ? { csrPem: request.pem, keepCsrExtensions: true } : { publicKeyPem: strangeKey() };
  const [leaf] = readPemChain(await rule.ca.issue({ ...wish, ...keyed }));
  if (!leaf) throw new Error('the issued certificate cannot be read');
  return leaf;
}

const sanOf = (extensions: readonly { type: string; value: ArrayBuffer }[]): string => {
  const san = extensions.find(({ type }) => type === SUBJECT_ALTERNATIVE_NAME);
  return san ? Buffer.from(san.value).toString('hex') : '';
};

const wordsOf = (name: Buffer): string => new Name(new Uint8Array(name)).toString();

/**
 * A re-enrolment must be for the very name of the certificate that asks for it: same subject, same subjectAltName
 * (RFC 7030 4.2.2). The mark of this server counts as part of the request's subject.
 *
 * @throws EstRefusal 403 where there is no certificate, 400 where the names differ.
 */
export function checkReenrolment(request: VerifiedRequest, leaf: X509Certificate | undefined): void {
  if (!leaf) throw new EstRefusal(403, 're-enrolment needs the client certificate that is to be renewed');
  const old = new ReadCertificate(leaf.raw);
  if (wordsOf(markForTests(request.subject)) !== old.subjectName.toString()) {
    throw new EstRefusal(400, 'the subject of the request is not that of the client certificate');
  }
  if (sanOf(request.extensions) !== sanOf(old.extensions)) {
    throw new EstRefusal(400, 'the subjectAltName of the request is not that of the client certificate');
  }
}
