import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import { removeFileDurable, writeFileDurable } from '../files/index.ts';
import { causeChain, type Logger } from '../process/index.ts';

/**
 * The modules whose creation has begun and is not known to have ended, kept over a restart: the hub may hold them with keys of its own,
 * and a second creation then has to finish them in place of a 409 for ever (spec/identity-service.md 5.2, stricter).
 */
export interface CreationJournal {
  /** Resolves when the beginning is on the disk. A failure to write is a warning. */
  begin(name: string): Promise<void>;
  /** The creation came to an end, good or bad; the disk follows, at the latest when no creation is under way. */
  end(name: string): void;
  /** The creation is given up for now, and may have left a half-made module. */
  leave(name: string): void;
  has(name: string): boolean;
  /** Writes what is not written yet. */
  close(): Promise<void>;
}

const shape = Compile(Type.Array(Type.String()));
const MODE = 0o644;

async function readNames(path: string, log: Logger): Promise<string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (shape.Check(value)) return value;
    throw new Error('it does not hold what it should');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') {
      log.warn(`Ignoring ${path}: ${causeChain(error).join(': ')}`);
    }
    return [];
  }
}

/** Opens the journal of a home directory. Beginnings that come while one is written share the next write. */
export async function openCreationJournal(homedir: string, log: Logger): Promise<CreationJournal> {
  const path = join(homedir, 'module_creations');
  const names = new Set(await readNames(path, log));
  /** Those under way, with the write that holds them. */
  const active = new Map<string, Promise<void>>();
  let stale = false;
  let writing: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  async function write(): Promise<void> {
    stale = false;
    try {
      if (names.size === 0) await removeFileDurable(path);
      else await writeFileDurable(path, `${JSON.stringify([...names])}\n`, { mode: MODE });
    } catch (error) {
      log.warn(`could not note the creation of a module in ${path}: ${causeChain(error).join(': ')}`);
    }
  }

  /** A write that begins after this call. */
  function flush(): Promise<void> {
    next ??= (writing ?? Promise.resolve()).then(() => {
      next = undefined;
      writing = write().finally(() => {
        writing = undefined;
      });
      return writing;
    });
    return next;
  }

  function leave(name: string): void {
    active.delete(name);
    // under load the beginnings of others write out what has ended
    if (stale && active.size === 0) void flush();
  }

  return {
    begin(name) {
      const begun = active.get(name) ?? (names.has(name) ? Promise.resolve() : flush());
      names.add(name);
      active.set(name, begun);
      return begun;
    },
    end(name) {
      if (names.delete(name)) stale = true;
      leave(name);
    },
    leave,
    has: (name) => names.has(name),
    async close() {
      if (stale) await flush();
      await (next ?? writing);
    },
  };
}
