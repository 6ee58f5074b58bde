import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CertificatePair } from './target.ts';

/** A certificate with the common name given that nobody but itself vouches for, made by openssl. */
export async function stranger(commonName: string): Promise<CertificatePair> {
  const folder = await mkdtemp(join(tmpdir(), 'conformance-stranger-'));
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  try {
    const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key, '-out', cert];
    await promisify(execFile)('openssl', ['req', '-x509', ...made, '-days', '1', '-subj', `/CN=${commonName}`]);
    return { certPem: await readFile(cert, 'utf8'), keyPem: await readFile(key, 'utf8') };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
