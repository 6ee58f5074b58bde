import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';

/** Stands for the state of a folder between two changes; compared by identity. */
export interface FolderMark {
  /** Until something in the folder changes, or it is not watched any more. */
  readonly current: boolean;
}

/** A folder that is watched. */
interface Watched {
  readonly watcher: FSWatcher;
  mark: { current: boolean };
}

/**
 * Watches the folders of files, so that a file need not be looked at before each use. Says nothing about folders that cannot be
 * watched (not there, too many watches, a file system without events).
 */
export class FolderWatches {
  readonly #folders = new Map<string, Watched>();

  /** A mark that stays the same as long as nothing in the file's folder changes; undefined where the folder cannot be watched. */
  markOf(path: string): FolderMark | undefined {
    const folder = dirname(path);
    return (this.#folders.get(folder) ?? this.#begin(folder))?.mark;
  }

  close(): void {
    for (const folder of [...this.#folders.keys()]) this.#drop(folder);
  }

  #begin(folder: string) {
    let watcher: FSWatcher;
    try {
      watcher = watch(folder, { persistent: false });
    } catch {
      return undefined;
    }
    const watched = { watcher, mark: { current: true } };
    this.#folders.set(folder, watched);
    watcher.on('change', (_, name) => {
      if (!watched.mark.current) return;
      watched.mark.current = false;
      watched.mark = { current: true };
      // the folder itself was moved or removed: its name may lead to another one now
      if (name === null || name === basename(folder)) this.#drop(folder);
    });
    watcher.on('error', () => this.#drop(folder));
    return watched;
  }

  #drop(folder: string): void {
    const watched = this.#folders.get(folder);
    if (!watched) return;
    watched.mark.current = false;
    watched.watcher.close();
    this.#folders.delete(folder);
  }
}
