import type { Stats } from 'node:fs';
import { lstat, readFile, stat } from 'node:fs/promises';
import { type FileContent, readContent } from './file-content.ts';
import { type FolderMark, FolderWatches } from './folder-watches.ts';

/** Largest key file that is read. */
const LARGEST_KEY_FILE_BYTES = 1024 * 1024;
const MOST_FILES = 512;
/** A watched file is looked at again after this long, as no event tells of changes far above it. */
const LOOK_AGAIN_MS = 1000;
/** A file changed this shortly before it was read may change again without a new time stamp, so it is read again. */
const RACY_MS = 50;

interface Entry {
  readonly content: FileContent;
  /** Absent where only the fingerprint says whether the file is unchanged. */
  readonly mark: FolderMark | undefined;
  readonly fingerprint: string;
  lookedAt: number;
}

async function unlessAbsent<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

const fingerprintOf = (stats: Stats) => `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;

/**
 * Parsed key files. A change of a file counts at once: its folder is watched, or its status is looked at before each use where that
 * cannot be (symlinks, folders without events). Callers let an {@link eventTurn} pass between a request's arrival and its first read.
 */
export class FileCache {
  readonly #entries = new Map<string, Entry>();
  readonly #watches = new FolderWatches();
  readonly #now: () => number;

  /** @param now milliseconds since the epoch. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** What the file at `path` holds now. Rejects with the system error, or for what is no plain file of at most 1 MiB. */
  read(path: string): Promise<FileContent> | FileContent {
    const known = this.#entries.get(path);
    const unchanged =
      known?.mark && this.#watches.markOf(path) === known.mark && performance.now() - known.lookedAt < LOOK_AGAIN_MS;
    return unchanged ? known.content : this.#look(path);
  }

  /** Forgets a file that keyd itself has changed. */
  forget(path: string): void {
    this.#entries.delete(path);
  }

  close(): void {
    this.#watches.close();
    this.#entries.clear();
  }

  async #look(path: string): Promise<FileContent> {
    const lookedAt = performance.now();
    const mark = this.#watches.markOf(path);
    const stats = await unlessAbsent(stat(path));
    if (!stats) {
      this.#entries.delete(path);
      return { kind: 'absent' };
    }
    const fingerprint = fingerprintOf(stats);
    const known = this.#entries.get(path);
    if (known && known.fingerprint === fingerprint && known.mark === mark) {
      known.lookedAt = lookedAt;
      return known.content;
    }
    if (!stats.isFile()) throw new Error(`key file ${path} is not a plain file`);
    if (stats.size > LARGEST_KEY_FILE_BYTES) {
      throw new Error(`key file ${path} is larger than ${LARGEST_KEY_FILE_BYTES} bytes`);
    }
    const started = this.#now();
    const link = (await unlessAbsent(lstat(path)))?.isSymbolicLink() ?? true;
    const bytes = await unlessAbsent(readFile(path));
    if (!bytes) return { kind: 'absent' };
    const content = readContent(bytes);
    bytes.fill(0);
    const entry = { content, mark: link ? undefined : mark, fingerprint, lookedAt };
    this.#keep(path, entry, entry.mark !== undefined || stats.ctimeMs < started - RACY_MS);
    return content;
  }

  /** What was read while its folder changed is not kept. */
  #keep(path: string, entry: Entry, steady: boolean): void {
    this.#entries.delete(path);
    if (!steady || (entry.mark && this.#watches.markOf(path) !== entry.mark)) return;
    this.#entries.set(path, entry);
    const oldest = this.#entries.size > MOST_FILES ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
