import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, open, readdir, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isUnfinishedWrite, isUnfinishedWriteOf, NEW_FILE_FLAGS, tempPathOf } from './temp-file.ts';

interface FolderSync {
  readonly done: Promise<void>;
  /** Shared by all who came after this one began. */
  next: Promise<void> | undefined;
}

const folderSyncs = new Map<string, FolderSync>();

async function syncNow(folder: string): Promise<void> {
  const handle = await open(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function startSync(folder: string): Promise<void> {
  const done = syncNow(folder).finally(() => {
    if (folderSyncs.get(folder) === sync) folderSyncs.delete(folder);
  });
  const sync: FolderSync = { done, next: undefined };
  folderSyncs.set(folder, sync);
  return done;
}

/** Makes what has been done in the folder before this call durable. Calls that come while one is under way share the one after it. */
function syncFolder(folder: string): Promise<void> {
  const running = folderSyncs.get(folder);
  if (!running) return startSync(folder);
  running.next ??= running.done.catch(() => undefined).then(() => startSync(folder));
  return running.next;
}

async function modeOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mode & 0o777;
  } catch {
    return undefined;
  }
}

/** Fills a new file that was made with `mode`, which the process's umask may have narrowed. */
async function fill(handle: FileHandle, content: Uint8Array | string, mode: number): Promise<void> {
  try {
    await handle.writeFile(content);
    if ((mode & process.umask()) !== 0) await handle.chmod(mode);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Replaces or creates a file so that after a crash at any point the old or the new content is there, never neither, never half:
 * temp file in the same folder (O_EXCL, never wider than the new file), fsync, rename, fsync of the folder (design.md 4).
 * A symlink at `path` is replaced, not followed. Rejects with the system error; the old file is then unchanged.
 *
 * @param mode permission bits of the new file; default 0600, `keep` takes over the mode of the file that is replaced.
 */
export async function writeFileDurable(
  path: string,
  content: Uint8Array | string,
  { mode = 0o600 }: { readonly mode?: number | 'keep' } = {},
): Promise<void> {
  const folder = dirname(path);
  const temp = tempPathOf(path, randomBytes(8));
  const bits = mode === 'keep' ? ((await modeOf(path)) ?? 0o600) : mode;
  try {
    await fill(await open(temp, NEW_FILE_FLAGS, bits), content, bits);
    await rename(temp, path);
  } catch (error) {
    await unlink(temp).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

/** Removes a file and makes the removal durable; a file that is not there is fine. Returns whether one was removed. */
export async function removeFileDurable(path: string): Promise<boolean> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
  await syncFolder(dirname(path));
  return true;
}

async function removeFrom(folder: string, isUnfinished: (fileName: string) => boolean): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names.filter(isUnfinished)) await removeFileDurable(join(folder, name));
}

/** Removes all temp files that a killed writer left in its own folder; one that is not there is fine. For the start of the writer. */
export function removeUnfinishedWrites(folder: string): Promise<void> {
  return removeFrom(folder, isUnfinishedWrite);
}

/** Removes the temp files that a killed writer left beside these files of others; a folder of many is looked at once. */
export async function removeUnfinishedWritesBeside(paths: readonly string[]): Promise<void> {
  for (const [folder, own] of Map.groupBy(paths, dirname)) {
    await removeFrom(folder, (name) => isUnfinishedWrite(name) && own.some((path) => isUnfinishedWriteOf(name, path)));
  }
}

/** Renames within one file system, replacing the target, and makes it durable in both folders. */
export async function renameDurable(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
  if (dirname(from) !== dirname(to)) await syncFolder(dirname(from));
}
