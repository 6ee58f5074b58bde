import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** JSON documents by collection and key. With a folder they survive a kill of the process. */
export interface StateStore {
  get<T>(collection: string, key: string): T | undefined;
  put(collection: string, key: string, value: unknown): void;
  delete(collection: string, key: string): void;
  /** All documents of a collection, in ascending order of their keys. */
  list<T>(collection: string): readonly { readonly key: string; readonly value: T }[];
  close(): void;
}

/** Makes the file for its owner alone, as it holds device keys; SQLite gives its journals the same mode. */
function privateFile(path: string): string {
  closeSync(openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600));
  return path;
}

/** Opens the store: a file `NAME.sqlite` in `stateDir`, or memory without it. */
export function openStateStore({
  stateDir,
  name = 'state',
}: {
  readonly stateDir?: string | undefined;
  readonly name?: string;
}): StateStore {
  if (stateDir !== undefined) mkdirSync(stateDir, { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(
    stateDir === undefined ? ':memory:' : privateFile(join(stateDir, `${name}.sqlite`)),
  );
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000');
  database.exec(
    'CREATE TABLE IF NOT EXISTS documents (collection TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (collection, key)) WITHOUT ROWID',
  );
  const read = database.prepare('SELECT value FROM documents WHERE collection = ? AND key = ?');
  const write = database.prepare('INSERT OR REPLACE INTO documents (collection, key, value) VALUES (?, ?, ?)');
  const remove = database.prepare('DELETE FROM documents WHERE collection = ? AND key = ?');
  const all = database.prepare('SELECT key, value FROM documents WHERE collection = ? ORDER BY key');
  return {
    get<T>(collection: string, key: string) {
      const row = read.get(collection, key) as { value: string } | undefined;
      return row && (JSON.parse(row.value) as T);
    },
    put(collection, key, value) {
      write.run(collection, key, JSON.stringify(value));
    },
    delete(collection, key) {
      remove.run(collection, key);
    },
    list<T>(collection: string) {
      const rows = all.all(collection) as { key: string; value: string }[];
      return rows.map((row) => ({ key: row.key, value: JSON.parse(row.value) as T }));
    },
    close: () => database.close(),
  };
}
