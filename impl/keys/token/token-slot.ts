import {
  CK,
  type Cryptoki,
  type Handle,
  isAlreadyLoggedIn,
  isBufferTooSmall,
  isObjectLost,
  isPinRefused,
  isSessionLost,
} from './cryptoki.ts';
import { ObjectCache } from './object-cache.ts';

/** A PIN that the token did not take. It is not tried again until the configuration changes. */
export class PinRefused extends Error {
  override readonly name = 'PinRefused';
}

/** The session is no longer logged in, though keyd has logged in before. */
class LoginLost extends Error {
  override readonly name = 'LoginLost';
}

const MOST_SESSIONS = 4;
/** Operations below this run at once; a thread hop would cost more than they do. */
const QUICK_MS = 1;
const SLOW_MS = 5;
/** Room that is given at most to a module that says the buffer is too small, and how much more each time. */
const MOST_ROOM_BYTES = 2 ** 20;
const MORE_ROOM = 8;

/** How an operation runs: with this room for its result, on the main thread or on another. */
interface Operation {
  readonly room: number;
  readonly atOnce: (out: Buffer) => Buffer;
  readonly onThread: (out: Buffer) => Promise<Buffer>;
}

/** An open session with what was found through it. */
export interface TokenSession {
  readonly handle: Handle;
  readonly cryptoki: Cryptoki;
  readonly objects: ObjectCache;
  /** Runs an operation at once on a quick token, on a thread otherwise, with more room where the module wants it. */
  run(operation: Operation): Promise<Buffer>;
  /** Throws where the login is gone: private objects are then invisible, and "not found" would be wrong. */
  confirmLogin(): void;
}

/** The sessions of one slot: a small pool, one login, a second try after a lost session. */
export class TokenSlot {
  readonly #cryptoki: Cryptoki;
  readonly #slot: Handle;
  #idle: Handle[] = [];
  /** Sessions of this age, idle or lent. */
  #open = 0;
  /** Sessions lent, of any age. */
  #lent = 0;
  #age = 0;
  #loggedIn = false;
  #refusedPin: string | undefined;
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

  /** A refused PIN may be tried once more. */
  forgetRefusedPin(): void {
    this.#refusedPin = undefined;
  }

  /** Runs `work` in a session of its own, logged in where a PIN is known. A lost session or object is met with one second try. */
  async use<T>(pin: string | undefined, work: (session: TokenSession) => Promise<T>): Promise<T> {
    const age = this.#age;
    try {
      return await this.#once(pin, work);
    } catch (error) {
      if (isSessionLost(error) || error instanceof LoginLost) this.#reset(age);
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
      const result = await work({
        handle,
        cryptoki: this.#cryptoki,
        objects: this.#objects,
        run: (operation) => this.#run(operation),
        confirmLogin: () => this.#confirmLogin(handle, pin),
      });
      this.#giveBack(handle, age);
      return result;
    } catch (error) {
      this.#discard(handle, age);
      throw error;
    }
  }

  /** After CKR_BUFFER_TOO_SMALL the operation is still there (PKCS#11 2.40, 5.2). */
  async #run({ room, atOnce, onThread }: Operation): Promise<Buffer> {
    for (let bytes = room; ; bytes *= MORE_ROOM) {
      const out = Buffer.alloc(bytes);
      try {
        return await this.#timed(
          () => atOnce(out),
          () => onThread(out),
        );
      } catch (error) {
        if (!isBufferTooSmall(error) || bytes > MOST_ROOM_BYTES) throw error;
      }
    }
  }

  async #timed(atOnce: () => Buffer, onThread: () => Promise<Buffer>): Promise<Buffer> {
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
    if (this.#refusedPin === pin) throw new PinRefused('the token refused this PIN before');
    try {
      this.#cryptoki.C_Login(session, CK.userPin, pin);
    } catch (error) {
      if (isPinRefused(error)) {
        this.#refusedPin = pin;
        throw new PinRefused('the token refused the PIN', { cause: error });
      }
      if (!isAlreadyLoggedIn(error)) throw error;
    }
    this.#loggedIn = true;
  }

  #confirmLogin(session: Handle, pin: string | undefined): void {
    if (pin === undefined) return;
    const { state } = this.#cryptoki.C_GetSessionInfo(session);
    if (state !== CK.state.readOnlyUser && state !== CK.state.readWriteUser) {
      throw new LoginLost('the token has logged keyd out');
    }
  }

  async #take(): Promise<Handle> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle) {
        this.#lent++;
        return idle;
      }
      if (this.#open < MOST_SESSIONS) {
        try {
          const opened = this.#cryptoki.C_OpenSession(this.#slot, CK.sessionSerialWrite);
          this.#open++;
          this.#lent++;
          return opened;
        } catch (error) {
          // where the token gives no more sessions, those that are lent come back
          if (this.#lent === 0) throw error;
        }
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #giveBack(session: Handle, age: number): void {
    this.#lent--;
    if (age === this.#age) this.#idle.push(session);
    else this.#closeQuietly(session);
    this.#waiting.shift()?.();
  }

  /** A session that failed may hold an operation that never ended. */
  #discard(session: Handle, age: number): void {
    this.#lent--;
    if (age === this.#age) this.#open--;
    this.#closeQuietly(session);
    // closing the last session of a token logs out (PKCS#11 2.40, 5.6)
    if (this.#open === 0) this.#loggedIn = false;
    this.#waiting.shift()?.();
  }

  /** Forgets all sessions of this age, unless another caller has done so; those in use are closed when they come back. */
  #reset(age: number): void {
    if (age !== this.#age) return;
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
