import { invalidParameter } from '../ipc/index.ts';

/** The key that signs handles: an internal id that no caller may use (spec/keys-service.md 4 and 5.3). */
export const HANDLE_VALIDATION_KEY = 'handle-validation-key';

/** identityd's own key, from which it derives those of modules: for root and for principals that name it. */
export const MASTER_ID = 'aziot_identityd_master_id';

/** Longest id in UTF-8 bytes; a bound of ours, since ids also become labels of token objects. */
const LONGEST_ID_BYTES = 1024;
/** ASCII letters and digits that fit into a file name of 255 bytes beside `-`, 64 digits and `.key`. */
const MOST_NAME_CHARACTERS = 186;

/** The sentence of the reference for a NUL in a text, or undefined where there is none. Position in UTF-8 bytes. */
export function nulFault(text: string): string | undefined {
  const at = text.indexOf('\0');
  if (at < 0) return undefined;
  return `nul byte found in provided data at position: ${Buffer.byteLength(text.slice(0, at))}`;
}

/**
 * Refuses an id that cannot name a key: NUL inside, empty, too long, not Unicode. `parameter` is the name that the caller reads.
 * Throws the 400 of spec/keys-service.md 3.3; empty and too long are stricter than the reference (checklist 55).
 */
export function checkKeyId(id: string, parameter: 'id' | 'from' | 'to'): void {
  const nul = nulFault(id);
  if (nul !== undefined) throw invalidParameter(parameter, nul);
  if (id === '') throw invalidParameter(parameter, 'a key id must not be empty');
  if (!id.isWellFormed()) throw invalidParameter(parameter, 'a key id must be Unicode text');
  if (Buffer.byteLength(id) > LONGEST_ID_BYTES) {
    throw invalidParameter(parameter, `a key id has at most ${LONGEST_ID_BYTES} bytes`);
  }
  if (id.replace(/[^A-Za-z0-9]/g, '').length > MOST_NAME_CHARACTERS) {
    throw invalidParameter(parameter, `a key id has at most ${MOST_NAME_CHARACTERS} ASCII letters and digits`);
  }
}
