/** Lets one task run at a time, in the order in which they came (spec/tpm-service.md 1: one TPM operation at a time). */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** How many tasks run or wait. */
  get size(): number {
    return this.#waiting;
  }

  take<T>(task: () => Promise<T>): Promise<T> {
    this.#waiting++;
    const mine = this.#waiting === 1 ? task() : this.#last.then(task, task);
    this.#last = mine;
    return mine.finally(() => {
      this.#waiting--;
    });
  }
}
