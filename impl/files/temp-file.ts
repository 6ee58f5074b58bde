import { constants } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Marks the temp files of unfinished writes; see {@link isUnfinishedWrite}. */
const TEMP_MARK = '.tmp-';
/** Of the name of the file that is written; a temp file's name has to stay below what file systems take. */
const NAME_LENGTH = 32;

/** A new file, and never one that somebody else put there. */
export const NEW_FILE_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

const startOf = (path: string): string => `.${basename(path).slice(0, NAME_LENGTH)}${TEMP_MARK}`;

/** Where the new content of a file is put first: beside it. @param random 8 octets. */
export function tempPathOf(path: string, random: Buffer): string {
  return join(dirname(path), `${startOf(path)}${random.toString('hex')}`);
}

/** True for the name of a temp file that a killed writer left behind; such files are never read. */
export function isUnfinishedWrite(fileName: string): boolean {
  return fileName.startsWith('.') && fileName.includes(TEMP_MARK);
}

/** True for the name of a temp file that a killed writer of this very file left beside it. */
export function isUnfinishedWriteOf(fileName: string, path: string): boolean {
  const start = startOf(path);
  return fileName.startsWith(start) && /^[0-9a-f]{16}$/.test(fileName.slice(start.length));
}
