import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { NEW_FILE_FLAGS, tempPathOf } from './temp-file.ts';

/** A file to replace or create; see `writeFileDurable`. */
export interface FileWrite {
  readonly path: string;
  readonly content: Uint8Array | string;
  readonly mode: number | 'keep';
}

/** A system error in the form in which it passes between threads. */
export interface WriteFailure {
  readonly message: string;
  readonly code: string | undefined;
  readonly syscall: string | undefined;
}

function failureOf(error: unknown): WriteFailure {
  const { message, code, syscall } = error as NodeJS.ErrnoException;
  return { message, code, syscall };
}

function modeOf(path: string): number {
  return (statSync(path, { throwIfNoEntry: false })?.mode ?? 0o600) & 0o777;
}

function replace({ path, content, mode }: FileWrite): void {
  const bits = mode === 'keep' ? modeOf(path) : mode;
  const temp = tempPathOf(path, randomBytes(8));
  try {
    const file = openSync(temp, NEW_FILE_FLAGS, bits);
    try {
      writeFileSync(file, content);
      if ((bits & process.umask()) !== 0) fchmodSync(file, bits);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temp, path);
  } catch (error) {
    try {
      unlinkSync(temp);
    } catch {
      // it was never made, or is in place already
    }
    throw error;
  }
}

function syncFolder(folder: string): void {
  const handle = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

function attempt(work: () => void): WriteFailure | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    return failureOf(error);
  }
}

/**
 * Does writes one after another, as `writeFileDurable` does each, with one fsync of each folder at the end. Blocks: for a thread that does nothing
 * else. The failure of each write, undefined where it is durable.
 */
export function writeBatch(writes: readonly FileWrite[]): (WriteFailure | undefined)[] {
  const failures = writes.map((write) => attempt(() => replace(write)));
  const folders = new Set(writes.filter((_, index) => !failures[index]).map(({ path }) => dirname(path)));
  const unsynced = new Map([...folders].map((folder) => [folder, attempt(() => syncFolder(folder))]));
  return writes.map(({ path }, index) => failures[index] ?? unsynced.get(dirname(path)));
}
