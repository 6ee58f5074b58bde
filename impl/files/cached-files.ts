import { close, constants, fstat, open, read, type Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { type FolderMark, FolderWatches } from './folder-watches.ts';

const MOST_FILES = 512;
/** A watched file is looked at again after this long, as no event tells of changes far above it. */
const LOOK_AGAIN_MS = 1000;
/** A file changed this shortly before it was read may change again without a new time stamp, so it is read again. */
const RACY_MS = 50;

// each step of the callback API is one trip to a thread; file handles of fs/promises cost several times as much
const fstatOf = promisify<number, Stats>(fstat);
const readFrom = promisify(read);
const openAt = promisify<string, number, number>(open);

interface Entry<T> {
  readonly content: T;
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

/** Opens a file, and tells whether its name is a symlink; never waits for the other end of a pipe. */
async function openPlain(path: string): Promise<{ readonly fd: number; readonly link: boolean }> {
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  try {
    return { fd: await openAt(path, flags | constants.O_NOFOLLOW), link: false };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ELOOP') throw error;
    return { fd: await openAt(path, flags), link: true };
  }
}

const fingerprintOf = (stats: Stats) => `${stats.dev}:${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}`;

/** What is kept of files of one kind. */
export interface FileKind<T> {
  /** Names the kind in errors, as `key file`. */
  readonly what: string;
  readonly largestBytes: number;
  /** Reads the bytes; they are its own to wipe. Rejects or throws for what cannot be used: nothing is kept then. */
  parse(bytes: Buffer): T;
  /** Stands for a file that is not there. */
  readonly absent: T;
  /** Milliseconds since 1970. */
  now(): number;
}

/**
 * Parsed files. A change of a file counts at once: its folder is watched, or its status is looked at before each use where that
 * cannot be (symlinks, folders without events). Callers let an {@link eventTurn} pass between a request's arrival and its first read.
 */
export class CachedFiles<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #watches = new FolderWatches();
  readonly #kind: FileKind<T>;

  constructor(kind: FileKind<T>) {
    this.#kind = kind;
  }

  /** What the file at `path` holds now. Rejects with the system error, or for what is no plain file of the largest size. */
  read(path: string): Promise<T> | T {
    const known = this.#entries.get(path);
    const unchanged = known?.mark?.current && performance.now() - known.lookedAt < LOOK_AGAIN_MS;
    return unchanged ? known.content : this.#look(path);
  }

  /** Forgets a file that this process itself has changed. */
  forget(path: string): void {
    this.#entries.delete(path);
  }

  close(): void {
    this.#watches.close();
    this.#entries.clear();
  }

  async #look(path: string): Promise<T> {
    const lookedAt = performance.now();
    const mark = this.#watches.markOf(path);
    const known = this.#entries.get(path);
    if (known) {
      const stats = await unlessAbsent(stat(path));
      if (stats && known.fingerprint === fingerprintOf(stats) && known.mark === mark) {
        known.lookedAt = lookedAt;
        return known.content;
      }
      this.#entries.delete(path);
      if (!stats) return this.#kind.absent;
    }
    const started = this.#kind.now();
    const file = await unlessAbsent(openPlain(path));
    if (!file) return this.#kind.absent;
    try {
      const stats = await fstatOf(file.fd);
      const content = this.#kind.parse(await this.#bytesOf(path, file.fd, stats));
      const entry = { content, mark: file.link ? undefined : mark, fingerprint: fingerprintOf(stats), lookedAt };
      this.#keep(path, entry, entry.mark !== undefined || stats.ctimeMs < started - RACY_MS);
      return content;
    } finally {
      close(file.fd, () => undefined);
    }
  }

  async #bytesOf(path: string, fd: number, stats: Stats): Promise<Buffer> {
    const { what, largestBytes } = this.#kind;
    if (!stats.isFile()) throw new Error(`${what} ${path} is not a plain file`);
    if (stats.size > largestBytes) throw new Error(`${what} ${path} is larger than ${largestBytes} bytes`);
    // one byte more than there should be: what grew meanwhile is noticed, and read again next time
    const room = Buffer.alloc(stats.size + 1);
    let length = 0;
    for (;;) {
      const { bytesRead } = await readFrom(fd, room, length, room.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length >= stats.size) return room.subarray(0, length);
    }
  }

  /** What was read while its folder changed is not kept. */
  #keep(path: string, entry: Entry<T>, steady: boolean): void {
    this.#entries.delete(path);
    if (!steady || (entry.mark && this.#watches.markOf(path) !== entry.mark)) return;
    this.#entries.set(path, entry);
    const oldest = this.#entries.size > MOST_FILES ? this.#entries.keys().next().value : undefined;
    if (oldest !== undefined) this.#entries.delete(oldest);
  }
}
