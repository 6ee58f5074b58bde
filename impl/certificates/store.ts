import { mkdir, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  CachedFiles,
  eventTurn,
  objectFileName,
  removeFileDurable,
  removeUnfinishedWrites,
  removeUnfinishedWritesBeside,
  type WriteDurable,
  writeFileDurable,
} from '../files/index.ts';
import { Changes } from './changes.ts';
import { NamedLocks } from './locks.ts';
import type { Preloaded } from './preloaded.ts';

/** A certificate whose file cannot be found, read or written; the message names it. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
}

/** Longest file name that Linux file systems take. */
const NAME_LIMIT_BYTES = 255;
/** Certificates are not secret; the home directory protects them (spec/certificates-service.md 5). */
const FILE_MODE = 0o644;
const LARGEST_FILE_BYTES = 4 * 1024 * 1024;

const isMissing = (error: unknown): boolean => {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOENT' || code === 'ENOTDIR';
};

/** The text of certificate files; one that is no UTF-8 is not kept and fails each time. */
export class CertificateFiles extends CachedFiles<string | undefined> {
  constructor() {
    super({
      what: 'certificate file',
      largestBytes: LARGEST_FILE_BYTES,
      absent: undefined,
      now: Date.now,
      parse: (bytes) => new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes),
    });
  }
}

/** Certificate files by id: stored ones below the home directory, preloaded ones, and bundles of others. */
export class CertificateStore {
  readonly #folder: string;
  readonly #preloaded: ReadonlyMap<string, Preloaded>;
  readonly #locks = new NamedLocks();
  /** Told of each write. */
  readonly changes: Changes;
  readonly #files: CertificateFiles;
  readonly #write: WriteDurable;

  /**
   * @param before the store that this one takes the place of: who waits there and what was read stays.
   * @param write how files are written.
   */
  constructor(
    homedir: string,
    preloaded: ReadonlyMap<string, Preloaded>,
    { before, write = writeFileDurable }: { readonly before?: CertificateStore; readonly write?: WriteDurable } = {},
  ) {
    this.#folder = join(homedir, 'certs');
    this.#preloaded = preloaded;
    this.changes = before?.changes ?? new Changes();
    this.#files = before?.files ?? new CertificateFiles();
    this.#write = write;
  }

  get files(): CertificateFiles {
    return this.#files;
  }

  /**
   * PEM text of an id; undefined when there is none. Members of a bundle that are missing are skipped, a newline is put between members
   * that lack one. Throws {@link StoreError} for a file that is no text, a bundle that contains itself, or a failed read.
   */
  async read(id: string): Promise<string | undefined> {
    // a change that came before the request counts
    await eventTurn();
    return this.#read(id, []);
  }

  /** Throws {@link StoreError} when the id can never be written: a bundle, a URL that is no local file, a name too long. */
  checkWritable(id: string): void {
    this.#pathOf(id);
  }

  /** Replaces the file of an id, whole or not at all. Throws {@link StoreError}. */
  async write(id: string, pem: string): Promise<void> {
    const path = this.#pathOf(id);
    await this.#locks.run(path, async () => {
      try {
        await this.#replace(path, pem);
      } catch (cause) {
        throw new StoreError(`could not write certificate "${id}"`, { cause });
      } finally {
        this.#files.forget(path);
      }
      this.changes.tell();
    });
  }

  /** Removes what a killed certd left of its last write: in the home directory, and beside the preloaded files. It was never read. */
  async removeLeftOvers(): Promise<void> {
    await removeUnfinishedWrites(this.#folder);
    const paths = [...this.#preloaded.values()].flatMap((entry) => (entry.kind === 'file' ? [entry.path] : []));
    await removeUnfinishedWritesBeside(await Promise.all(paths.map((path) => realpath(path).catch(() => path))));
  }

  /** Removes the file of an id; one that is not there is fine. Throws {@link StoreError}. */
  async remove(id: string): Promise<void> {
    const path = this.#pathOf(id);
    await this.#locks.run(path, async () => {
      try {
        await removeFileDurable(path);
      } catch (cause) {
        if (!isMissing(cause)) throw new StoreError(`could not delete certificate "${id}"`, { cause });
      } finally {
        this.#files.forget(path);
      }
      this.changes.tell();
    });
  }

  async #replace(path: string, pem: string): Promise<void> {
    const target = await this.#target(path, pem);
    try {
      await this.#write(...target);
    } catch (error) {
      // made at its first use
      if (!isMissing(error) || dirname(path) !== this.#folder) throw error;
      await mkdir(this.#folder, { recursive: true });
      await this.#write(...target);
    }
  }

  /** A preloaded file may be a link that its owner made: its target is replaced and keeps its mode. */
  async #target(path: string, pem: string): Promise<Parameters<WriteDurable>> {
    if (dirname(path) === this.#folder) return [path, pem, { mode: FILE_MODE }];
    try {
      return [await realpath(path), pem, { mode: 'keep' }];
    } catch (error) {
      if (!isMissing(error)) throw error;
      return [path, pem, { mode: FILE_MODE }];
    }
  }

  #pathOf(id: string): string {
    const entry = this.#preloaded.get(id);
    if (entry?.kind === 'file') return entry.path;
    if (entry?.kind === 'unusable') throw new StoreError(`could not get file path of "${id}": ${entry.fault}`);
    if (entry?.kind === 'bundle')
      throw new StoreError(`could not get file path of "${id}": it is a bundle; write its members`);
    const name = objectFileName(id, '.cer');
    if (Buffer.byteLength(name) > NAME_LIMIT_BYTES)
      throw new StoreError(`could not get file path: certificate id of ${id.length} characters is too long`);
    return join(this.#folder, name);
  }

  async #read(id: string, above: readonly string[]): Promise<string | undefined> {
    if (above.includes(id)) throw new StoreError(`bundle leads back to itself: ${[...above, id].join(' -> ')}`);
    const entry = this.#preloaded.get(id);
    if (entry?.kind !== 'bundle') return this.#readFile(id);
    let text = '';
    for (const member of entry.members) {
      const part = (await this.#read(member, [...above, id])) ?? '';
      text += text === '' || text.endsWith('\n') || part === '' ? part : `\n${part}`;
      if (text.length > LARGEST_FILE_BYTES)
        throw new StoreError(`bundle "${id}" is larger than ${LARGEST_FILE_BYTES} bytes`);
    }
    return text === '' ? undefined : text;
  }

  async #readFile(id: string): Promise<string | undefined> {
    const path = this.#pathOf(id);
    try {
      return await this.#files.read(path);
    } catch (cause) {
      const text = cause instanceof TypeError;
      const what = text ? `certificate "${id}" in ${path} is no text; convert it to PEM` : undefined;
      throw new StoreError(what ?? `could not read certificate "${id}" from ${path}`, { cause });
    }
  }
}
