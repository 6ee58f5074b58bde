import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Certificates that a server's chain may end in. Plain data, so that it can cross to another thread. */
export interface TrustStore {
  /** PEM texts, each with one or more certificates. */
  readonly anchors: readonly string[];
  /** Where they came from, for messages. */
  readonly source: string;
}

type Env = Readonly<Record<string, string | undefined>>;

/** Where distributions keep the bundle of the operating system: Debian, Fedora, SUSE, Alpine and others. */
const BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/ssl/cert.pem',
];
/** The form of the names that OpenSSL looks up in a certificate folder: subject hash and a counter. */
const HASHED_NAME = /^[0-9a-f]{8}\.\d+$/;
const MAX_FOLDER_FILES = 4096;

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

async function readFolder(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  const wanted = names.filter((name) => HASHED_NAME.test(name)).slice(0, MAX_FOLDER_FILES);
  const texts = await Promise.all(wanted.map((name) => readOptional(join(folder, name))));
  return texts.filter((text) => text !== undefined);
}

async function readSystemBundle(): Promise<{ anchors: string[]; source: string }> {
  for (const path of BUNDLES) {
    const text = await readOptional(path);
    if (text?.includes('-----BEGIN')) return { anchors: [text], source: path };
  }
  return { anchors: [], source: 'no system bundle found' };
}

/** Empty means unset, as OpenSSL has it. */
const setting = (env: Env, name: string): string | undefined => env[name] || undefined;

/**
 * Loads the trust anchors of outbound TLS: the file of `SSL_CERT_FILE` and the folders of `SSL_CERT_DIR` (colon separated, names as
 * `c_rehash` makes them) where one of the two is set, else the bundle of the operating system; then `extraPem`
 * (spec/cloud.md 1.1, 11). Files are read without blocking. A file that cannot be read adds nothing: the handshake then says
 * that the server is not trusted.
 */
export async function loadTrust(env: Env, extraPem: readonly string[] = []): Promise<TrustStore> {
  const file = setting(env, 'SSL_CERT_FILE');
  const folders = setting(env, 'SSL_CERT_DIR');
  if (file === undefined && folders === undefined) {
    const system = await readSystemBundle();
    return { anchors: [...system.anchors, ...extraPem], source: system.source };
  }
  const fromFile = file === undefined ? undefined : await readOptional(file);
  const fromFolders = await Promise.all((folders ?? '').split(':').filter(Boolean).map(readFolder));
  return {
    anchors: [...(fromFile === undefined ? [] : [fromFile]), ...fromFolders.flat(), ...extraPem],
    source: [file, folders].filter(Boolean).join(' and '),
  };
}
