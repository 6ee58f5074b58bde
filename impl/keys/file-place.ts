import { randomBytes } from 'node:crypto';
import { lstat, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeFileDurable, renameDurable, writeFileDurable } from '../files/index.ts';
import type { Logger } from '../process/index.ts';
import { openAead, sealAead } from './aead.ts';
import type { FileCache } from './file-cache.ts';
import { type FileContent, pairOf, symmetricOf } from './file-content.ts';
import { hmacSha256 } from './key-handle.ts';
import { looksLikePrivateKey } from './key-pem.ts';
import { type AeadInput, type KeyPlace, type PairMechanism, type PairParts, unsuitable } from './key-place.ts';
import type { PairAlgorithm } from './pair-algorithms.ts';
import { makePrivateKeyPem } from './private-key.ts';

const NEW_KEY_BYTES = 32;

/** What the places of all file keys share. */
export interface FileParts {
  readonly cache: FileCache;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly log: Logger;
}

const symmetricMark = (content: FileContent): object | undefined =>
  content.kind === 'symmetric' ? content : undefined;

/** A file as the place of one key (spec/keys-service.md 6). Symmetric keys and key pairs of one id share it; neither replaces the other. */
export class FilePlace implements KeyPlace {
  readonly kind = 'file';
  readonly path: string;
  readonly #cache: FileCache;
  readonly #owner: 'keyd' | 'operator';
  readonly #now: () => number;
  readonly #log: Logger;

  /**
   * @param owner `operator` for a preloaded file: its folder is not made, and deleting keeps the file aside.
   */
  constructor(path: string, owner: 'keyd' | 'operator', parts: FileParts) {
    this.path = path;
    this.#owner = owner;
    this.#cache = parts.cache;
    this.#now = parts.now;
    this.#log = parts.log;
  }

  /** What the file holds now, by identity; undefined where it holds no symmetric key. Given at once where nothing has to be read. */
  mark(): object | undefined | Promise<object | undefined> {
    const content = this.#cache.read(this.path);
    return content instanceof Promise ? content.then(symmetricMark) : symmetricMark(content);
  }

  async hasKey(): Promise<boolean> {
    const content = await this.#cache.read(this.path);
    return content.kind !== 'empty' && symmetricOf(content, this.path) !== undefined;
  }

  /** As {@link hasKey}, but a file that is known to be whole is not read. */
  isLoadable(): boolean | Promise<boolean> {
    const census = this.#owner === 'keyd' ? this.#cache.census : undefined;
    if (census?.vouchesFor(this.path)) return true;
    return this.hasKey().then((found) => {
      if (found) census?.learn(this.path);
      return found;
    });
  }

  /** Nothing but an empty file is replaced, as the reference does, and not without a word. */
  async makeKey(): Promise<'made'> {
    const content = await this.#cache.read(this.path);
    if (content.kind === 'empty') this.#warnReplaced('is empty', 'a new key is made in its place');
    else if (symmetricOf(content, this.path)) return 'made';
    await this.#write(randomBytes(NEW_KEY_BYTES));
    return 'made';
  }

  async importKey(bytes: Buffer): Promise<'made'> {
    if (looksLikePrivateKey(bytes)) throw unsuitable('the bytes of a symmetric key must not be a PEM private key');
    const content = await this.#cache.read(this.path);
    if (content.kind === 'empty') this.#warnReplaced('is empty', 'the imported key takes its place');
    else symmetricOf(content, this.path);
    await this.#write(bytes);
    return 'made';
  }

  deleteKey(): Promise<void> {
    return this.#remove();
  }

  deletePair(): Promise<void> {
    return this.#remove();
  }

  async hmac(message: Buffer): Promise<Buffer | undefined> {
    const reading = this.#cache.read(this.path);
    const key = symmetricOf(reading instanceof Promise ? await reading : reading, this.path);
    return key && hmacSha256(key, message);
  }

  async seal(input: AeadInput, plaintext: Buffer): Promise<Buffer | undefined> {
    const key = symmetricOf(await this.#cache.read(this.path), this.path);
    return key && sealAead(key, input, plaintext);
  }

  async open(input: AeadInput, ciphertext: Buffer): Promise<Buffer | undefined> {
    const key = symmetricOf(await this.#cache.read(this.path), this.path);
    return key && openAead(key, input, ciphertext);
  }

  async hasPair(): Promise<boolean> {
    return (await this.#cache.read(this.path)).kind === 'pair';
  }

  async pairParts(): Promise<PairParts | undefined> {
    return pairOf(await this.#cache.read(this.path), this.path)?.parts;
  }

  /** Only the first algorithm is tried, and nothing but an empty file is replaced. */
  async makePair(algorithms: readonly PairAlgorithm[]): Promise<void> {
    const content = await this.#cache.read(this.path);
    if (content.kind !== 'absent' && content.kind !== 'empty') {
      throw unsuitable(
        `key file ${this.path} holds something else than a readable key pair and is kept; delete it first`,
      );
    }
    const [algorithm] = algorithms;
    if (algorithm === undefined) throw unsuitable('none of the preferred algorithms is known');
    if (content.kind === 'empty') this.#warnReplaced('is empty', 'a new key pair is made in its place');
    await this.#write(await makePrivateKeyPem(algorithm));
  }

  async sign(mechanism: PairMechanism, input: Buffer): Promise<Buffer | undefined> {
    return pairOf(await this.#cache.read(this.path), this.path)?.sign(mechanism, input);
  }

  /** Whether a pair may be moved here: a symmetric key is not overwritten, a damaged pair is. */
  async admitsPair(): Promise<boolean> {
    return (await this.#cache.read(this.path)).kind !== 'symmetric';
  }

  /** Moves the pair of this file to another, replacing what is there. Across file systems it is copied first, then removed. */
  async moveTo(target: FilePlace): Promise<void> {
    await target.#makeFolder();
    const replaced = await this.#cache.read(target.path);
    if (replaced.kind === 'empty') target.#warnReplaced('is empty', 'the moved key pair takes its place');
    if (replaced.kind === 'unreadable') {
      target.#warnReplaced(`cannot be used (${replaced.reason})`, 'the moved key pair takes its place');
    }
    try {
      await renameDurable(this.path, target.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
      const bytes = await readFile(this.path);
      await writeFileDurable(target.path, bytes);
      bytes.fill(0);
      await removeFileDurable(this.path);
    } finally {
      this.#cache.forget(this.path);
      this.#cache.forget(target.path);
    }
  }

  #warnReplaced(was: string, now: string): void {
    this.#log.warn(`key file ${this.path} ${was}; ${now}`);
  }

  async #makeFolder(): Promise<void> {
    if (this.#owner === 'keyd') await mkdir(dirname(this.path), { recursive: true, mode: 0o700 });
  }

  async #write(content: Buffer | string): Promise<void> {
    await this.#makeFolder();
    try {
      await writeFileDurable(this.path, content);
    } finally {
      this.#cache.forget(this.path);
    }
  }

  async #remove(): Promise<void> {
    if (this.#owner === 'keyd') {
      await removeFileDurable(this.path);
      this.#cache.forget(this.path);
      return;
    }
    try {
      await lstat(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    const time = new Date(this.#now()).toISOString().replaceAll(/[-:]/g, '');
    await renameDurable(this.path, `${this.path}.deleted-${time}`);
    this.#cache.forget(this.path);
  }
}
