import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { writeFileDurable } from '../files/index.ts';
import type { Clock, Logger } from '../process/index.ts';
import { IdSet } from './id-set.ts';

/** New ids are written this long after their first use, last uses this long after the one written before. */
const NEW_ID_MS = 1000;
const USES_MS = 3_600_000;
/** Uses that are held in memory before they are written. */
const MOST_USES = 4096;
/** The file is made anew when it has this size, and four times that of the last time. */
const LARGEST_FIRST_BYTES = 1024 * 1024;
const GROWTH = 4;

/** One line of the file; the last line of an id counts. `gone`: the key was deleted. */
interface Line {
  readonly id: string;
  readonly used?: string;
  readonly gone?: true;
}

function readLine(text: string): Line | undefined {
  try {
    const value = JSON.parse(text) as Partial<Line> | null;
    return typeof value?.id === 'string' ? (value as Line) : undefined;
  } catch {
    // the line of an append that a crash cut off
    return undefined;
  }
}

/**
 * Remembers the ids of keys and when each was last used, as the names of key files cannot be turned back into ids: JSON lines
 * `{"id","used"}` in a file of the home folder that the reference does not look at. It only serves the listing: when it is lost, a key is
 * shown by its file name until it is used again. What was used in the last hour before a crash may be missing from it.
 */
export class KeyIndex {
  readonly #path: string | undefined;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #recorded = new IdSet();
  readonly #ending = new AbortController();
  /** Uses since the last write: milliseconds since the epoch, or `gone`. */
  #uses = new Map<string, number | 'gone'>();
  #writing: Promise<void>;
  #queued = false;
  /** Ids whose first use since the last write was within the last second: whether they are new is found out then, beside the requests. */
  #unchecked: string[] = [];
  #size = 0;
  #largest = LARGEST_FIRST_BYTES;
  #cutOff = false;
  #complained = false;

  /** @param path absent where no home folder is configured: then nothing outlives the process. */
  constructor(path: string | undefined, parts: { readonly clock: Clock; readonly log: Logger }) {
    this.#path = path;
    this.#clock = parts.clock;
    this.#log = parts.log;
    this.#writing = this.#begin();
    void this.#writeEachHour();
  }

  /** The key of this id was made, loaded or used. */
  note(id: string): void {
    if (!this.#uses.has(id)) {
      if (this.#uses.size >= MOST_USES) void this.write();
      if (this.#unchecked.length === 0) this.#checkSoon();
      if (this.#unchecked.length < MOST_USES) this.#unchecked.push(id);
    }
    this.#uses.set(id, this.#clock.now());
  }

  /** The key of this id was deleted or given another id. */
  forget(id: string): void {
    this.#uses.set(id, 'gone');
  }

  /** Every id that is known, with the milliseconds since the epoch of its last use, where that is known. */
  async entries(): Promise<Map<string, number | undefined>> {
    await this.#writing;
    const found = await this.#read();
    for (const [id, use] of this.#uses) {
      if (use === 'gone') found.delete(id);
      else found.set(id, use);
    }
    return found;
  }

  /** Writes what is held in memory. Never rejects: a fault is logged once, keys are served all the same. */
  write(): Promise<void> {
    if (this.#path === undefined) {
      // nowhere to write: only the latest are held
      for (const id of this.#uses.keys()) {
        if (this.#uses.size < MOST_USES) break;
        this.#uses.delete(id);
      }
      return Promise.resolve();
    }
    if (!this.#queued) {
      this.#queued = true;
      this.#writing = this.#writing.then(() => {
        this.#queued = false;
        return this.#append();
      });
    }
    return this.#writing;
  }

  async close(): Promise<void> {
    this.#ending.abort();
    await this.write();
  }

  async #begin(): Promise<void> {
    if (this.#path === undefined) return;
    try {
      const found = await this.#read();
      for (const id of found.keys()) this.#recorded.add(id);
      this.#size = (await stat(this.#path)).size;
      this.#cutOff = this.#size > 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#complain(error);
    }
  }

  #checkSoon(): void {
    this.#clock.sleep(NEW_ID_MS, this.#ending.signal).then(
      () => {
        const ids = this.#unchecked;
        this.#unchecked = [];
        return ids.every((id) => this.#recorded.has(id)) ? undefined : this.write();
      },
      () => undefined,
    );
  }

  async #writeEachHour(): Promise<void> {
    try {
      for (;;) {
        await this.#clock.sleep(USES_MS, this.#ending.signal);
        await this.write();
      }
    } catch {
      // keyd stops
    }
  }

  async #read(): Promise<Map<string, number | undefined>> {
    const found = new Map<string, number | undefined>();
    if (this.#path === undefined) return found;
    try {
      for await (const text of createInterface({ input: createReadStream(this.#path), crlfDelay: Infinity })) {
        const line = readLine(text);
        if (!line) continue;
        const used = Date.parse(line.used ?? '');
        if (line.gone) found.delete(line.id);
        else found.set(line.id, Number.isNaN(used) ? undefined : used);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') this.#complain(error);
    }
    return found;
  }

  async #append(): Promise<void> {
    const uses = this.#uses;
    if (uses.size === 0 || this.#path === undefined) return;
    this.#uses = new Map();
    const lines = [...uses].map(([id, use]): Line => {
      return use === 'gone' ? { id, gone: true } : { id, used: new Date(use).toISOString() };
    });
    // a line that a crash cut off must not swallow the first of these
    const text = `${this.#cutOff ? '\n' : ''}${lines.map((line) => `${JSON.stringify(line)}\n`).join('')}`;
    try {
      const file = await open(this.#path, 'a', 0o600);
      try {
        await file.appendFile(text);
        await file.datasync();
      } finally {
        await file.close();
      }
      this.#cutOff = false;
      this.#size += Buffer.byteLength(text);
      for (const id of uses.keys()) this.#recorded.add(id);
      if (this.#size > this.#largest) await this.#makeAnew();
    } catch (error) {
      this.#complain(error);
    }
  }

  async #makeAnew(): Promise<void> {
    if (this.#path === undefined) return;
    const entries = await this.#read();
    const text = [...entries]
      .map(
        ([id, used]) => `${JSON.stringify(used === undefined ? { id } : { id, used: new Date(used).toISOString() })}\n`,
      )
      .join('');
    await writeFileDurable(this.#path, text);
    this.#size = Buffer.byteLength(text);
    this.#largest = Math.max(LARGEST_FIRST_BYTES, GROWTH * this.#size);
  }

  #complain(error: unknown): void {
    if (this.#complained) return;
    this.#complained = true;
    this.#log.warn(
      `the index of key ids ${this.#path} cannot be kept: ${(error as Error).message}; GET /keys shows some keys by file name`,
    );
  }
}
