import { type Clock, SystemClock } from '../../common/index.ts';

/** What the clock of a server can be told. */
export interface ClockState {
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly state: 'running' | 'standing';
}

/** A clock that runs as the machine's does, but may be set, turned and stopped. Waits are real time. */
export class TurnableClock implements Clock {
  readonly #machine = new SystemClock();
  /** Added to the machine's time while running; the time itself while standing. */
  #base = 0;
  #state: ClockState['state'] = 'running';

  now(): number {
    return this.#state === 'running' ? this.#machine.now() + this.#base : this.#base;
  }

  sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
    return this.#machine.sleep(milliseconds, signal);
  }

  read(): ClockState {
    return { now: this.now(), state: this.#state };
  }

  /** Sets the time. */
  set(now: number): void {
    this.#base = this.#state === 'running' ? now - this.#machine.now() : now;
  }

  turn(milliseconds: number): void {
    this.#base += milliseconds;
  }

  /** Stops, or runs on from where it stands. */
  put(state: ClockState['state']): void {
    const now = this.now();
    this.#state = state;
    this.set(now);
  }
}
