import { appendFile, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Skipped } from '../runner/index.ts';

/** What may be sent to a service that costs money and is shared with others. */
export interface Limits {
  /** Of the whole run, by all its processes. */
  readonly maxRequests: number;
  /** From one request to the next, milliseconds. */
  readonly spacingMs: number;
  /** Whether anything but GET is sent. */
  readonly mayChange: boolean;
  /** A file that all processes of the run append a byte to for each request; its size is what was spent. */
  readonly ledger: string;
}

/** Lets requests through one after the other, not faster than agreed, and none beyond the budget. */
export class Guard {
  readonly #limits: Limits;
  #last: Promise<unknown> = Promise.resolve();
  #throttled: string | undefined;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Whether only GET is sent. */
  get readOnly(): boolean {
    return !this.#limits.mayChange;
  }

  /** Waits until the request may be sent. @throws Skipped where it must not be: it changes something, the budget is spent, the service said 429 */
  admit(method: string): Promise<void> {
    const turn = this.#last.then(() => this.#admit(method));
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** Remembers that the service asked to slow down: nothing more is sent by this process. */
  throttled(retryAfter: string | undefined): void {
    this.#throttled = retryAfter === undefined ? '' : `; it asks to come back after ${retryAfter} s`;
  }

  async #admit(method: string): Promise<void> {
    const { maxRequests, spacingMs, mayChange, ledger } = this.#limits;
    if (!mayChange && method !== 'GET')
      throw new Skipped(
        `read-only: ${method} is not sent; say --allow-changes to let the suite change things`,
        'changes',
      );
    if (this.#throttled !== undefined)
      throw new Skipped(`the service answered 429, so nothing more is sent${this.#throttled}`, 'budget');
    const before = await sizeAndAge(ledger);
    if (before.size >= maxRequests)
      throw new Skipped(`${before.size} requests were sent, as many as --max-requests ${maxRequests} allows`, 'budget');
    if (before.size > 0) await sleep(Math.max(0, spacingMs - before.ageMs));
    await appendFile(ledger, '.');
  }
}

async function sizeAndAge(path: string): Promise<{ size: number; ageMs: number }> {
  try {
    const { size, mtimeMs } = await stat(path);
    return { size, ageMs: Date.now() - mtimeMs };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { size: 0, ageMs: 0 };
    throw error;
  }
}
