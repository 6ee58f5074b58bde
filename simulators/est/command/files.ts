import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { TestPki } from '../../common/index.ts';

/** The folder of a running server, and what is to be done with it at the end. */
export interface Folder {
  readonly path: string;
  remove(): Promise<void>;
}

/** The folder named, kept; or a temporary one that goes. */
export async function openFolder(dataDir: string | undefined): Promise<Folder> {
  if (dataDir !== undefined) {
    const path = resolve(dataDir);
    await mkdir(path, { recursive: true, mode: 0o700 });
    return { path, remove: async () => {} };
  }
  const path = await mkdtemp(join(tmpdir(), 'est-simulator-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** What a client needs, as files: paths of PEM. */
export interface ClientFiles {
  /** What the server's certificate is verified by. */
  readonly rootPem: string;
  /** What issued certificates are verified by. */
  readonly caPem: string;
  /** A certificate of the bootstrap authority, and its key. */
  readonly bootstrapPem: string;
  readonly bootstrapKey: string;
}

/** Writes them into the folder. */
export async function writeClientFiles(folder: string, pki: TestPki, caPem: string): Promise<ClientFiles> {
  const { certPem, keyPem } = await pki.issueClientCertificate('CN=TEST bootstrap,O=TEST ONLY');
  const put = async (name: string, text: string, mode = 0o644) => {
    const path = join(folder, name);
    await rm(path, { force: true });
    await writeFile(path, text, { mode, flag: 'wx' });
    return path;
  };
  return {
    rootPem: await put('root.pem', pki.root.certificatePem),
    caPem: await put('ca.pem', caPem),
    bootstrapPem: await put('bootstrap.pem', certPem),
    bootstrapKey: await put('bootstrap.key', keyPem, 0o600),
  };
}
