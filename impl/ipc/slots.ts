import type { Uid } from './uid.ts';

/** How long a connection above the limit waits: longer than the 30 s of the services' own clients (spec/transport.md 5). */
const LINE_DEADLINE_MS = 35_000;
/** How many connections of one uid may wait. */
const LINE_LENGTH = 64;

/** Something that may hold a slot: an open connection. */
export interface SlotHolder {
  /** True while the connection is kept alive with no request in progress and at least one answered. */
  idle(): boolean;
  /** Ends the connection; its slot is released by the caller's close handler. */
  close(): void;
}

interface Waiting {
  readonly holder: SlotHolder;
  readonly enter: () => void;
  readonly timer: NodeJS.Timeout;
}

interface UidSlots {
  readonly holders: Set<SlotHolder>;
  readonly line: Waiting[];
}

/**
 * Slots of a socket: at most `limit` connections a uid at once, each uid alone, root too. What is above waits in a bounded line
 * with a deadline; idle kept-alive connections of that uid give way first (spec/transport.md 5, stricter).
 */
export class ConnectionSlots {
  readonly #limit: number;
  readonly #users = new Map<Uid, UidSlots>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /**
   * Asks for a slot. Exactly one of the callbacks is called, `enter` at once where a slot is free.
   * `crowded` is called at once when the uid has reached its limit, before the wait begins.
   */
  ask(uid: Uid, holder: SlotHolder, on: { enter: () => void; refuse: () => void; crowded: () => void }): void {
    const user = this.#userOf(uid);
    if (user.holders.size < this.#limit) {
      user.holders.add(holder);
      on.enter();
      return;
    }
    on.crowded();
    if (user.line.length >= LINE_LENGTH) {
      on.refuse();
      return;
    }
    const timer = setTimeout(() => {
      const position = user.line.findIndex((waiting) => waiting.holder === holder);
      if (position >= 0) user.line.splice(position, 1);
      this.#forget(uid, user);
      on.refuse();
    }, LINE_DEADLINE_MS);
    user.line.push({ holder, enter: on.enter, timer });
    this.#makeRoom(user);
  }

  /** Frees the slot, or the place in the line, of a connection that has ended. Calling it twice is fine. */
  release(uid: Uid, holder: SlotHolder): void {
    const user = this.#users.get(uid);
    if (!user) return;
    const position = user.line.findIndex((waiting) => waiting.holder === holder);
    if (position >= 0) clearTimeout(user.line.splice(position, 1)[0]?.timer);
    if (user.holders.delete(holder)) {
      const next = user.line.shift();
      if (next) {
        clearTimeout(next.timer);
        user.holders.add(next.holder);
        next.enter();
      }
    }
    this.#forget(uid, user);
  }

  /** To be called when a connection of this uid turned idle: it gives way when others wait. */
  turnedIdle(uid: Uid): void {
    const user = this.#users.get(uid);
    if (user && user.line.length > 0) this.#makeRoom(user);
  }

  #makeRoom(user: UidSlots): void {
    for (const holder of user.holders) {
      if (holder.idle()) {
        holder.close();
        return;
      }
    }
  }

  #userOf(uid: Uid): UidSlots {
    let user = this.#users.get(uid);
    if (!user) {
      user = { holders: new Set(), line: [] };
      this.#users.set(uid, user);
    }
    return user;
  }

  #forget(uid: Uid, user: UidSlots): void {
    if (user.holders.size === 0 && user.line.length === 0) this.#users.delete(uid);
  }
}
