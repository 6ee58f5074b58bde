/** What has to be undone at the end, last first. */
export class Cleanup {
  readonly #tasks: (() => Promise<void>)[] = [];

  /** Adds a task; it runs before those added earlier. */
  add(task: () => Promise<void>): void {
    this.#tasks.push(task);
  }

  /** Runs every task once, also after one that failed. Resolves to what went wrong. */
  async run(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (let task = this.#tasks.pop(); task !== undefined; task = this.#tasks.pop()) {
      await task().catch((error: unknown) => failures.push(error));
    }
    return failures;
  }
}
