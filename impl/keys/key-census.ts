import { type FSWatcher, watch } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { basename } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Logger } from '../process/index.ts';
import type { CensusOrder, CensusReport } from './census-look.ts';
import { isKeyFileName, StampTable } from './stamp-table.ts';

const WORKER_FILE = new URL('./census-worker.ts', import.meta.url);
/** Up to so many files the cache of their contents does, see CachedFiles. */
const FEW_FILES = 512;
/** Files of one order: a few milliseconds of the thread; it rests in between. */
const MOST_READ = 256;
const MOST_DOUBTED = 4096;
const REST_MS = 10;
/** The same where no file waits to be read. */
const LONG_REST_MS = 50;
/** The folder itself is looked at this often while keys are loaded, as no event tells of changes far above it. */
const LOOK_AGAIN_MS = 1000;
/** The thread ends when it had nothing to do for so long. */
const IDLE_MS = 10_000;
/** How often a folder that had few files, or no events, is tried again. */
const TRY_AGAIN_MS = 60_000;

/** One order on its way. */
interface Sent {
  readonly unread: readonly string[];
  readonly doubted: readonly string[];
  readonly at: number;
  readonly changes: number;
}

/**
 * Knows of each file of a folder with very many keys whether it is a whole symmetric key, so that loading a key by its id reads nothing.
 * A thread of low demand reads each file once; the folder is watched, and what changes is forgotten at once. Each file that was vouched
 * for is looked at soon afterwards, so a change that gives no event (through another hard link, a memory map, a network) misleads one load,
 * and never a use of the key, which reads the file.
 */
export class KeyCensus {
  readonly #folder: string;
  readonly #log: Logger;
  readonly #table = new StampTable();
  #watcher: FSWatcher | undefined;
  #worker: Worker | undefined;
  #unread: string[] = [];
  readonly #doubted = new Set<string>();
  #sent: Sent | undefined;
  #rest: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;
  /** Counts the events of the folder. */
  #changes = 0;
  #folderIs: string | undefined;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(folder: string, log: Logger) {
    this.#folder = folder;
    this.#log = log;
  }

  /** Looks how many key files there are, and begins to read them where they are many. Answers whether they are. */
  async begin(): Promise<boolean> {
    if (this.#watcher || this.#closed) return this.#watcher !== undefined;
    this.#triedAt = performance.now();
    const names = await readdir(this.#folder).catch(() => []);
    if (names.length <= FEW_FILES || this.#closed || !this.#watch()) return false;
    // what appears from here on gives an event; names of before are looked at by and by
    this.#unread = names.filter(isKeyFileName);
    this.#schedule();
    return true;
  }

  /** Whether the file at this path is known to hold a whole symmetric key; where not, it has to be read. */
  vouchesFor(path: string): boolean {
    if (!this.#watcher) return false;
    if (performance.now() - this.#lookedAt > LOOK_AGAIN_MS) {
      this.#schedule();
      return false;
    }
    const name = this.#nameOf(path);
    if (this.#doubted.size >= MOST_DOUBTED || this.#table.get(name) === 0) return false;
    this.#doubted.add(name);
    this.#schedule();
    return true;
  }

  /** A file turned out to hold a key: it is worth knowing. */
  learn(path: string): void {
    if (this.#watcher) {
      if (this.#unread.length < MOST_READ) this.#unread.push(this.#nameOf(path));
      this.#schedule();
    } else if (performance.now() - this.#triedAt > TRY_AGAIN_MS) void this.begin();
  }

  /** Forgets a file that this process itself has changed. */
  forget(path: string): void {
    if (!this.#watcher || !path.startsWith(`${this.#folder}/`)) return;
    this.#changes++;
    this.#table.delete(this.#nameOf(path));
  }

  close(): void {
    this.#closed = true;
    this.#stop();
  }

  #nameOf(path: string): string {
    return path.slice(this.#folder.length + 1);
  }

  #watch(): boolean {
    try {
      this.#watcher = watch(this.#folder, { persistent: false });
    } catch {
      return false;
    }
    this.#watcher.on('change', (_, name) => {
      // the folder itself was moved or removed: its name may lead to another one now
      if (typeof name !== 'string' || name === basename(this.#folder)) {
        this.#stop();
        return;
      }
      this.#changes++;
      this.#table.delete(name);
    });
    this.#watcher.on('error', () => this.#stop());
    return true;
  }

  #stop(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#table.clear();
    this.#unread = [];
    this.#doubted.clear();
    this.#folderIs = undefined;
    this.#lookedAt = Number.NEGATIVE_INFINITY;
    this.#endThread();
  }

  #endThread(): void {
    clearTimeout(this.#rest);
    clearTimeout(this.#idle);
    this.#rest = undefined;
    this.#sent = undefined;
    void this.#worker?.terminate();
    this.#worker = undefined;
  }

  #schedule(): void {
    if (this.#sent || this.#rest) return;
    this.#rest = setTimeout(() => this.#send(), this.#unread.length > 0 ? REST_MS : LONG_REST_MS).unref();
  }

  #send(): void {
    this.#rest = undefined;
    const doubted = [...this.#doubted];
    this.#doubted.clear();
    this.#sent = {
      unread: this.#unread.splice(-MOST_READ),
      doubted,
      at: performance.now(),
      changes: this.#changes,
    };
    const { unread } = this.#sent;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#endThread(), IDLE_MS).unref();
    this.#thread().postMessage({
      folder: this.#folder,
      unread: unread.join('/'),
      doubted: doubted.join('/'),
    } satisfies CensusOrder);
  }

  #thread(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(WORKER_FILE);
    worker.unref();
    worker.on('message', (report: CensusReport) => {
      if (this.#worker === worker) this.#take(report);
    });
    worker.on('error', (error) => {
      if (this.#worker !== worker) return;
      this.#log.warn(`key files are read at each load, as the thread that knows them failed: ${error.message}`);
      this.close();
    });
    this.#worker = worker;
    return worker;
  }

  #take({ folderIs, read, seen, empty }: CensusReport): void {
    const sent = this.#sent;
    if (!sent) return;
    this.#sent = undefined;
    this.#folderIs ??= folderIs;
    if (folderIs !== this.#folderIs || folderIs === '') {
      this.#stop();
      return;
    }
    this.#lookedAt = sent.at;
    for (const [index, name] of sent.doubted.entries()) {
      if (this.#table.get(name) !== seen[index]) this.#table.delete(name);
    }
    if (sent.changes === this.#changes) {
      for (const [index, name] of sent.unread.entries()) if (read[index]) this.#table.set(name, read[index]);
      for (const name of empty) this.#log.warn(emptyFileText(`${this.#folder}/${name}`));
    } else this.#unread.push(...sent.unread);
    if (this.#unread.length > 0 || this.#doubted.size > 0) this.#schedule();
  }
}

/** What the log says of a key file without content, which a power cut may have left where another keyd wrote it. */
export const emptyFileText = (path: string): string =>
  `key file ${path} is empty; put its bytes back, or make the key again`;
