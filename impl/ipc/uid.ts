/** A Unix user id of a peer, as the kernel vouches for it (SO_PEERCRED at connect time). */
export type Uid = number & { readonly __brand: 'Uid' };

/** Marks a number that is known to be a Unix user id. */
export const toUid = (value: number): Uid => value as Uid;

/** The super-user. */
export const ROOT: Uid = toUid(0);
