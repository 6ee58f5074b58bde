import type { NameEntries } from '../x509/index.ts';
import { commonNameOf, type SubjectTable } from './settings.ts';

const LONGEST_COMMON_NAME_BYTES = 64;

/** Cuts to at most 64 bytes of UTF-8 without cutting a character (spec/identity-service.md 5.4, stricter). */
export function cutCommonName(name: string): string {
  let size = 0;
  let cut = '';
  for (const character of name) {
    size += Buffer.byteLength(character);
    if (size > LONGEST_COMMON_NAME_BYTES) break;
    cut += character;
  }
  return cut;
}

/** Subject of a device certificate: the CN first, then the other attributes in alphabetical order of their names. */
export function deviceSubject(commonName: string, table: SubjectTable | undefined): NameEntries {
  const extras = Object.entries(table ?? {}).filter(([name]) => name.toLowerCase() !== 'cn');
  const upper = (entry: readonly [string, string]) => entry[0].toUpperCase();
  extras.sort((a, b) => (upper(a) < upper(b) ? -1 : 1));
  return [['CN', cutCommonName(commonName)], ...extras];
}

/** The registration id that a configured text or subject names, uncut. */
export function configuredRegistrationId(written: string | SubjectTable | undefined): string | undefined {
  return typeof written === 'object' ? commonNameOf(written) : written;
}
