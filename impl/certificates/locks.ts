/** Runs tasks of the same name one after another, tasks of different names side by side. */
export class NamedLocks {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Waits for the earlier tasks of this name, however they ended, then runs this one. */
  run<T>(name: string, task: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(name) ?? Promise.resolve();
    const mine = before.then(task, task);
    const tail = mine.catch(() => undefined);
    this.#tails.set(name, tail);
    void tail.then(() => {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    });
    return mine;
  }
}
