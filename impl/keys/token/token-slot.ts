import {
  CK,
  type Cryptoki,
  type Handle,
  isAlreadyLoggedIn,
  isObjectLost,
  isPinRefused,
  isSessionLost,
} from './cryptoki.ts';
import { ObjectCache } from './object-cache.ts';

/** A PIN that the token did not take. No login is tried again until keyd restarts. */
export class PinRefused extends Error {
  override readonly name = 'PinRefused';
}

const MOST_SESSIONS = 4;
/** Operations below this run at once; a thread hop would cost more than they do. */
const QUICK_MS = 1;
const SLOW_MS = 5;

/** An open session with what was found through it. */
export interface TokenSession {
  readonly handle: Handle;
  readonly cryptoki: Cryptoki;
  readonly objects: ObjectCache;
  /** Runs an operation at once on a quick token, on a thread otherwise. */
  run(atOnce: () => Buffer, onThread: () => Promise<Buffer>): Promise<Buffer>;
}

/** The sessions of one slot: a small pool, one login, a second try after a lost session. */
export class TokenSlot {
  readonly #cryptoki: Cryptoki;
  readonly #slot: Handle;
  #idle: Handle[] = [];
  #open = 0;
  #age = 0;
  #loggedIn = false;
  #pinRefused = false;
  #quick = false;
  #objects = new ObjectCache();
  readonly #waiting: (() => void)[] = [];

  constructor(cryptoki: Cryptoki, slot: Handle) {
    this.#cryptoki = cryptoki;
    this.#slot = slot;
  }

  /** Opens a first session without login, to learn at start that the token is there. */
  async probe(): Promise<void> {
    const age = this.#age;
    this.#giveBack(await this.#take(), age);
  }

  /** Runs `work` in a session of its own, logged in where a PIN is known. A lost session or object is met with one second try. */
  async use<T>(pin: string | undefined, work: (session: TokenSession) => Promise<T>): Promise<T> {
    try {
      return await this.#once(pin, work);
    } catch (error) {
      if (isSessionLost(error)) this.#reset();
      else if (isObjectLost(error)) this.#objects = new ObjectCache();
      else throw error;
    }
    return this.#once(pin, work);
  }

  async #once<T>(pin: string | undefined, work: (session: TokenSession) => Promise<T>): Promise<T> {
    const handle = await this.#take();
    const age = this.#age;
    try {
      this.#login(handle, pin);
      return await work({
        handle,
        cryptoki: this.#cryptoki,
        objects: this.#objects,
        run: (atOnce, onThread) => this.#run(atOnce, onThread),
      });
    } finally {
      this.#giveBack(handle, age);
    }
  }

  async #run(atOnce: () => Buffer, onThread: () => Promise<Buffer>): Promise<Buffer> {
    const started = performance.now();
    const quick = this.#quick;
    const result = quick ? atOnce() : await onThread();
    const took = performance.now() - started;
    if (quick && took > SLOW_MS) this.#quick = false;
    else if (!quick && took < QUICK_MS) this.#quick = true;
    return result;
  }

  #login(session: Handle, pin: string | undefined): void {
    if (this.#loggedIn || pin === undefined) return;
    if (this.#pinRefused) throw new PinRefused('the token refused the PIN before; set the right one and restart keyd');
    try {
      this.#cryptoki.C_Login(session, CK.userPin, pin);
    } catch (error) {
      if (isPinRefused(error)) {
        this.#pinRefused = true;
        throw new PinRefused('the token refused the PIN; set the right one and restart keyd', { cause: error });
      }
      if (!isAlreadyLoggedIn(error)) throw error;
    }
    this.#loggedIn = true;
  }

  async #take(): Promise<Handle> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle) return idle;
      if (this.#open < MOST_SESSIONS) {
        this.#open++;
        try {
          return this.#cryptoki.C_OpenSession(this.#slot, CK.sessionSerialWrite);
        } catch (error) {
          this.#open--;
          if (this.#open === 0) throw error;
        }
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #giveBack(session: Handle, age: number): void {
    if (age === this.#age) this.#idle.push(session);
    else this.#closeQuietly(session);
    this.#waiting.shift()?.();
  }

  /** Forgets all sessions; those in use are closed when they come back. */
  #reset(): void {
    this.#age++;
    for (const session of this.#idle) this.#closeQuietly(session);
    this.#idle = [];
    this.#open = 0;
    this.#loggedIn = false;
    this.#objects = new ObjectCache();
    for (const resume of this.#waiting.splice(0)) resume();
  }

  #closeQuietly(session: Handle): void {
    try {
      this.#cryptoki.C_CloseSession(session);
    } catch {
      // it is lost already
    }
  }
}
