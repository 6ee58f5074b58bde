import { hash } from 'node:crypto';

/**
 * The file name of a key or certificate id: the id's ASCII letters and digits, `-`, lower-case hex SHA-256 of the id's UTF-8 bytes,
 * and the extension (spec/keys-service.md 6.1, spec/certificates-service.md 5). Ids that differ get names that differ.
 *
 * @param extension with its dot, or empty (module cache files of identityd).
 */
export function objectFileName(id: string, extension: '.key' | '.cer' | ''): string {
  const digest = hash('sha256', id, 'hex');
  return `${id.replace(/[^0-9A-Za-z]/g, '')}-${digest}${extension}`;
}
