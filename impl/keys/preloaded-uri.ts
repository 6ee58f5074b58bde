import { isAbsolute } from 'node:path';
import { type Pkcs11Uri, parsePkcs11Uri } from './pkcs11-uri.ts';

/** Where a preloaded key lives. */
export type PreloadedPlace =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'token'; readonly uri: Pkcs11Uri };

/** Absolute path of a `file:` URL with the host empty or `localhost`; percent-decoded, `%2F` too, which `fileURLToPath` refuses. */
function fileOf(uri: string): string {
  const match = /^file:(?:\/\/(?:localhost)?|(?!\/\/))(\/[^?#]*)$/.exec(uri);
  if (!match?.[1]) throw new Error('a file URI must be file:///absolute/path');
  let path: string;
  try {
    path = decodeURIComponent(match[1]);
  } catch {
    throw new Error('a file URI must be percent-encoded UTF-8');
  }
  if (!isAbsolute(path) || path.includes('\0')) throw new Error('a file URI must be file:///absolute/path');
  return path;
}

/** Reads the URI of a preloaded key, scheme `file` or `pkcs11` (spec/keys-service.md 2.4). Throws; no message holds a PIN. */
export function parsePreloadedUri(uri: string): PreloadedPlace {
  const scheme = uri.split(':', 1)[0];
  if (scheme === 'file') return { kind: 'file', path: fileOf(uri) };
  if (scheme === 'pkcs11') return { kind: 'token', uri: parsePkcs11Uri(uri) };
  throw new Error('its scheme must be file or pkcs11');
}
