import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CertificatePair } from './target.ts';

const EXTENSIONS = `basicConstraints = CA:FALSE
keyUsage = digitalSignature
extendedKeyUsage = clientAuth
subjectKeyIdentifier = none
authorityKeyIdentifier = none
`;

const openssl = (...args: readonly string[]) => promisify(execFile)('openssl', [...args]);
const newKey = (file: string) => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file];

async function inFolder<T>(work: (file: (name: string) => string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-stranger-'));
  try {
    return await work((name) => join(folder, name));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A certificate with the common name given that nobody but itself vouches for, made by openssl. */
export function stranger(commonName: string): Promise<CertificatePair> {
  return inFolder(async (file) => {
    const [cert, key] = [file('cert.pem'), file('key.pem')];
    await openssl('req', '-x509', ...newKey(key), '-out', cert, '-days', '1', '-subj', `/CN=${commonName}`);
    return { certPem: await readFile(cert, 'utf8'), keyPem: await readFile(key, 'utf8') };
  });
}

/**
 * The certificate of somebody who took the name of an authority: its issuer reads as that of the genuine one, the key that signed it is another.
 * Nothing in it but the signature tells.
 */
export function forged(commonName: string, genuine: CertificatePair): Promise<CertificatePair> {
  const issuer = new X509Certificate(genuine.certPem).issuer.split('\n');
  const subject = issuer.map((part) => `/${part.replaceAll('/', '\\/')}`).join('');
  return inFolder(async (file) => {
    const [ca, caKey, key, request] = [file('ca.pem'), file('ca.key'), file('key.pem'), file('request.pem')];
    const [cert, extensions] = [file('cert.pem'), file('extensions')];
    await writeFile(extensions, EXTENSIONS);
    await openssl('req', '-x509', ...newKey(caKey), '-out', ca, '-days', '1', '-subj', subject);
    await openssl('req', '-new', ...newKey(key), '-out', request, '-subj', `/CN=${commonName}`);
    const signed = ['-CA', ca, '-CAkey', caKey, '-days', '1', '-extfile', extensions, '-out', cert];
    await openssl('x509', '-req', '-in', request, ...signed);
    return { certPem: await readFile(cert, 'utf8'), keyPem: await readFile(key, 'utf8') };
  });
}
