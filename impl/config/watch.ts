import { type FSWatcher, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type Clock, type Logger, systemClock } from '../process/index.ts';
import type { ConfigPaths } from './paths.ts';

/** Quiet time after the last event before the configuration is read again (spec/transport.md 9). */
const DEBOUNCE_MS = 10_000;

/** A watch that can be ended. */
export interface ConfigWatch {
  close(): void;
}

/**
 * Calls `onChange` once for each burst of changes of the main file or the drop-ins. The parents are watched, so that replacing a file by
 * rename and making a file or folder later are noticed (stricter than the reference). Changes during `onChange` cause another call.
 */
export function watchConfig(
  options: ConfigPaths & {
    readonly onChange: () => Promise<void>;
    readonly log: Logger;
    readonly debounceMs?: number;
    readonly clock?: Clock;
  },
): ConfigWatch {
  const clock = options.clock ?? systemClock;
  const watchers = new Map<string, FSWatcher>();
  let closed = false;
  let pending: AbortController | undefined;
  let running = Promise.resolve();

  const noteChange = () => {
    pending?.abort();
    const mine = new AbortController();
    pending = mine;
    clock.sleep(options.debounceMs ?? DEBOUNCE_MS, mine.signal).then(
      () => {
        arm();
        running = running.then(options.onChange).catch((error) => {
          options.log.warn(`could not apply the changed configuration: ${(error as Error).message}`);
        });
      },
      () => undefined,
    );
  };

  const look = (folder: string, concerns: (name: string | null) => boolean) => {
    if (closed || watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, (_, name) => {
        if (concerns(name)) noteChange();
      });
      watcher.on('error', () => {
        watchers.delete(folder);
        watcher.close();
      });
      watchers.set(folder, watcher);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      options.log.warn(`could not watch ${folder}: ${(error as Error).message}; changes there need a restart`);
    }
  };

  const drop = (folder: string) => {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  };

  function arm(): void {
    const parents = new Map<string, Set<string>>();
    for (const path of [options.mainFile, options.directory]) {
      const parent = dirname(path);
      parents.set(parent, (parents.get(parent) ?? new Set()).add(basename(path)));
    }
    // a folder that was replaced keeps a watch on its old inode: take a new one each time
    drop(options.directory);
    look(options.directory, (name) => name === null || name.endsWith('.toml'));
    for (const [parent, names] of parents) {
      if (parent !== options.directory) look(parent, (name) => name === null || names.has(name));
    }
  }

  arm();
  return {
    close() {
      closed = true;
      pending?.abort();
      for (const folder of [...watchers.keys()]) drop(folder);
    },
  };
}
