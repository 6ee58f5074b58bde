import { AsyncLocalStorage } from 'node:async_hooks';
import { constants } from 'node:fs';
import type * as FsPromises from 'node:fs/promises';

/** One life of the daemons, from start to power cut. */
export class Life {
  #left = Number.POSITIVE_INFINITY;
  #gone = false;
  #cut: () => void = () => undefined;
  /** Resolves when the power has been cut. */
  readonly ended = new Promise<void>((resolve) => {
    this.#cut = resolve;
  });

  /** Cuts the power between the next `operations` file operations and the one after them. */
  cutAfter(operations: number): void {
    this.#left = operations;
  }

  get gone(): boolean {
    return this.#gone;
  }

  end(): void {
    this.#gone = true;
    this.#cut();
  }

  /** Runs what belongs to this life. */
  run<T>(work: () => Promise<T>): Promise<T> {
    return lives.run(this, work);
  }

  /** Whether another operation may begin. */
  admits(): boolean {
    if (this.#gone) return false;
    if (this.#left-- > 0) return true;
    this.end();
    return false;
  }
}

const lives = new AsyncLocalStorage<Life>();
/** Whoever is cut off waits for ever, as a process does that is gone; each on a promise of its own, which goes with who waits for it. */
const never = () => new Promise<never>(() => undefined);
/** The fsync of a folder, of which a process has one at a time: lives to come would wait for it too, so it fails. */
const cutFolderSync = () => Promise.reject(new Error('the power was cut'));

/** Operations that change something on disk; what only reads cannot be half done. */
const CHANGES = ['rename', 'unlink', 'mkdir', 'open', 'rm', 'chmod'] as const;
const HANDLE_CHANGES = new Set(['writeFile', 'write', 'sync', 'datasync', 'chmod', 'truncate']);

/** A process that is gone holds no file open. */
function closed(handle: object, cut: () => Promise<never>): Promise<never> {
  void (handle as FsPromises.FileHandle).close();
  return cut();
}

const isFolder = (name: string, args: readonly unknown[]) =>
  name === 'open' && typeof args[1] === 'number' && (args[1] & constants.O_DIRECTORY) !== 0;

function watched<T extends object>(handle: T, cut: () => Promise<never>): T {
  return new Proxy(handle, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (typeof name !== 'string' || !HANDLE_CHANGES.has(name)) return value.bind(target);
      return (...args: unknown[]) =>
        (lives.getStore()?.admits() ?? true) ? value.apply(target, args) : closed(target, cut);
    },
  });
}

/** For `vi.mock('node:fs/promises', …)`: the same module, whose changes end with the life that asks for them. */
export function cutModule(original: typeof FsPromises): typeof FsPromises {
  const module: Record<string, unknown> = { ...original };
  for (const name of CHANGES) {
    const real = original[name] as (...args: unknown[]) => Promise<unknown>;
    module[name] = async (...args: unknown[]) => {
      const cut = isFolder(name, args) ? cutFolderSync : never;
      if (!(lives.getStore()?.admits() ?? true)) return cut();
      const result = await real(...args);
      return name === 'open' ? watched(result as object, cut) : result;
    };
  }
  module['default'] = module;
  return module as typeof FsPromises;
}
