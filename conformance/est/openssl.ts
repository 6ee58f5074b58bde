import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { CertificateFiles } from './target.ts';

const run = promisify(execFile);
const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256'];

/** A folder for the files of one requirement. */
export async function withFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'ests-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A PKCS#10 request made by openssl. */
export interface MadeRequest {
  readonly der: Buffer;
  readonly keyPem: string;
}

/** What a request is to be. */
export interface RequestWish {
  readonly subject?: string;
  /** As `openssl req -newkey` takes it. */
  readonly newKey?: readonly string[];
  /** A key that is there already, PEM; in place of a new one. */
  readonly keyPem?: string;
  /** `-addext` texts. */
  readonly extensions?: readonly string[];
  readonly challengePassword?: string;
  readonly digest?: string;
}

function configText({ subject = 'TEST dev-01', challengePassword, extensions = [] }: RequestWish): string {
  const tie = challengePassword === undefined ? '' : `attributes = a\n[a]\nchallengePassword = ${challengePassword}\n`;
  const asked = extensions.length > 0 ? `req_extensions = e\n` : '';
  const list = extensions.length > 0 ? `[e]\n${extensions.join('\n')}\n` : '';
  return `[req]\nprompt = no\nutf8 = yes\ndistinguished_name = dn\n${asked}${tie}${list}[dn]\nCN = ${subject}\n`;
}

/** Makes a request. */
export function makeRequest(wish: RequestWish = {}): Promise<MadeRequest> {
  return withFolder(async (folder) => {
    const key = join(folder, 'key.pem');
    const config = join(folder, 'req.cnf');
    const out = join(folder, 'csr.der');
    await writeFile(config, configText(wish));
    if (wish.keyPem !== undefined) await writeFile(key, wish.keyPem, { mode: 0o600 });
    const keyed =
      wish.keyPem === undefined ? ['-newkey', ...(wish.newKey ?? P256), '-nodes', '-keyout', key] : ['-key', key];
    await run('openssl', [
      'req',
      '-new',
      ...keyed,
      `-${wish.digest ?? 'sha256'}`,
      '-config',
      config,
      '-outform',
      'DER',
      '-out',
      out,
    ]);
    return { der: await readFile(out), keyPem: await readFile(key, 'utf8') };
  });
}

/** Runs openssl on bytes as its input file; rejects with what it said. */
export function opensslOn(bytes: Buffer | string, args: (file: string) => readonly string[]): Promise<string> {
  return withFolder(async (folder) => {
    const file = join(folder, 'input');
    await writeFile(file, bytes);
    const { stdout } = await run('openssl', [...args(file)]);
    return stdout;
  });
}

/** The certificates of a base64 certs-only message as openssl pkcs7 reads it, in order. */
export async function certificatesOf(body: string): Promise<X509Certificate[]> {
  const printed = await opensslOn(Buffer.from(body, 'base64'), (file) => [
    'pkcs7',
    '-inform',
    'DER',
    '-in',
    file,
    '-print_certs',
  ]);
  return (printed.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    (pem) => new X509Certificate(pem),
  );
}

/** What openssl x509 prints of a certificate. */
export const certificateText = (certificate: X509Certificate): Promise<string> =>
  opensslOn(certificate.toString(), (file) => ['x509', '-in', file, '-noout', '-text']);

/** Whether openssl verify leads the leaf to one of the authorities; rejects with what it said. */
export function verifyLeaf(leaf: X509Certificate, authorities: readonly X509Certificate[]): Promise<string> {
  return withFolder(async (folder) => {
    const [ca, file] = [join(folder, 'ca.pem'), join(folder, 'leaf.pem')];
    await writeFile(ca, authorities.map(String).join(''));
    await writeFile(file, leaf.toString());
    return (await run('openssl', ['verify', '-CAfile', ca, file])).stdout;
  });
}

/** A self-signed client certificate of nobody the server knows. */
export async function strangerIn(folder: string): Promise<CertificateFiles> {
  const [cert, key] = [join(folder, 'stranger.pem'), join(folder, 'stranger.key')];
  const args = ['-newkey', ...P256, '-nodes', '-keyout', key, '-out', cert, '-days', '1', '-subj', '/CN=TEST stranger'];
  await run('openssl', ['req', '-x509', ...args]);
  return { cert, key };
}

/** A certificate and its key as files. */
export async function filesIn(folder: string, certificate: X509Certificate, keyPem: string): Promise<CertificateFiles> {
  const files = { cert: join(folder, 'client.pem'), key: join(folder, 'client.key') };
  await writeFile(files.cert, certificate.toString());
  await writeFile(files.key, keyPem, { mode: 0o600 });
  return files;
}
