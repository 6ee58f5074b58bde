import { Worker } from 'node:worker_threads';
import type { FileWrite, WriteFailure } from './write-batch.ts';

/** Replaces or creates a file durably; `writeFileDurable` is one. */
export type WriteDurable = (
  path: string,
  content: Uint8Array | string,
  options?: { readonly mode?: number | 'keep' },
) => Promise<void>;

interface Waiting {
  readonly write: FileWrite;
  resolve(): void;
  reject(error: Error): void;
}

const WORKER_FILE = new URL('./write-worker.ts', import.meta.url);

/**
 * Does what `writeFileDurable` does on a thread of its own, which takes all writes that wait in one go: a write is then one message and not seven
 * trips through the thread pool, and the writes of one go share the fsync of their folder (docs/decisions/write-thread.md). The thread begins with the
 * first write and does not keep the process alive, except while it writes.
 */
export class WriteThread {
  readonly #script: URL;
  #worker: Worker | undefined;
  #waiting: Waiting[] = [];
  /** What the thread works on. */
  #taken: readonly Waiting[] = [];

  /** @param script what the thread runs. */
  constructor(script: URL = WORKER_FILE) {
    this.#script = script;
  }

  /** As `writeFileDurable`. Rejects with the system error; when the thread itself fails, with that: the file is then the old or the new one. */
  readonly write: WriteDurable = (path, content, { mode = 0o600 } = {}) =>
    new Promise((resolve, reject) => {
      this.#waiting.push({ write: { path, content, mode }, resolve, reject });
      if (this.#taken.length === 0) this.#next();
    });

  #next(): void {
    this.#taken = this.#waiting;
    this.#waiting = [];
    if (this.#taken.length === 0) {
      this.#worker?.unref();
      return;
    }
    const worker = this.#thread();
    worker.ref();
    worker.postMessage(this.#taken.map(({ write }) => write));
  }

  #thread(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(this.#script);
    worker.on('message', (failures: readonly (WriteFailure | undefined)[]) => {
      const done = this.#taken;
      this.#next();
      for (const [index, { resolve, reject }] of done.entries()) {
        const failure = failures[index];
        if (failure) reject(Object.assign(new Error(failure.message), failure));
        else resolve();
      }
    });
    worker.on('error', (error) => this.#lose(worker, error));
    worker.on('exit', () => this.#lose(worker, new Error('the thread that writes files ended')));
    this.#worker = worker;
    return worker;
  }

  #lose(worker: Worker, error: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const lost = this.#taken;
    this.#next();
    for (const { reject } of lost) reject(error);
  }
}
