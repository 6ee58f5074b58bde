import { createHash } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where a key is kept. */
export type KeyLocation =
  | { readonly kind: 'pkcs11'; readonly token: string }
  | { readonly kind: 'file'; readonly path: string }
  /** A persistent handle of the TPM, 8 hex digits. */
  | { readonly kind: 'tpm'; readonly handle: string };

export interface KeyStore {
  /** keyd's folder. */
  readonly keydFolder: string;
  /** Label of the token; undefined: the file store alone. */
  readonly token: string | undefined;
  /** Keys with a place of their own: id to `file:` URL. */
  readonly preloaded: Readonly<Record<string, string>>;
}

/** The file that keyd keeps a key in, where it keeps it in a file (keys-service.md 6.1). */
export function keyFile(keydFolder: string, id: string): string {
  const digest = createHash('sha256').update(id, 'utf8').digest('hex');
  return join(keydFolder, 'keys', `${id.replaceAll(/[^0-9A-Za-z]/g, '')}-${digest}.key`);
}

/** Where the existing key `id` is: seen on the disk, not believed from the configuration. */
export async function locateKey(id: string, { keydFolder, token, preloaded }: KeyStore): Promise<KeyLocation> {
  const own = preloaded[id];
  if (own !== undefined) return { kind: 'file', path: fileURLToPath(own) };
  const path = keyFile(keydFolder, id);
  const isFile = await access(path).then(
    () => true,
    () => false,
  );
  return token === undefined || isFile ? { kind: 'file', path } : { kind: 'pkcs11', token };
}
