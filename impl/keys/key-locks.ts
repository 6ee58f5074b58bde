/** One queue for each key id: whoever changes keys waits for those before, whoever reads waits for changes in progress. */
export class KeyLocks {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs `work` when all earlier holders of these ids are done, first come first served. */
  async hold<T>(ids: readonly string[], work: () => Promise<T>): Promise<T> {
    const names = [...new Set(ids)].sort();
    const before = names.map((name) => this.#last.get(name));
    let release = () => {};
    const mine = new Promise<void>((resolve) => {
      release = resolve;
    });
    for (const name of names) this.#last.set(name, mine);
    try {
      await Promise.all(before);
      return await work();
    } finally {
      for (const name of names) if (this.#last.get(name) === mine) this.#last.delete(name);
      release();
    }
  }

  /** Settles when no change of this id is in progress; undefined where there is none, so that readers need not wait a turn. */
  settled(id: string): Promise<void> | undefined {
    return this.#last.get(id);
  }
}
