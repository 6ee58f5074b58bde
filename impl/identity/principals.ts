import { ROOT, type Uid } from '../ipc/index.ts';
import type { Principal } from './settings.ts';

/** Who a request comes from (spec/identity-service.md 4.1). */
export type Caller =
  | { readonly kind: 'root' }
  | { readonly kind: 'daemon' }
  | { readonly kind: 'host'; readonly principal: Principal }
  | { readonly kind: 'unknown' };

/**
 * Identifies a peer: the last principal with its uid, else root, else unknown. Only the first principal without rights of its own is
 * the daemon; further ones are nobody.
 */
export function identifyCaller(uid: Uid, principals: readonly Principal[]): Caller {
  let known = callers.get(principals);
  if (!known) {
    known = new Map();
    callers.set(principals, known);
  }
  let caller = known.get(uid);
  if (!caller) {
    caller = lookUp(uid, principals);
    if (known.size < MOST_CALLERS) known.set(uid, caller);
  }
  return caller;
}

/** Who was identified before, for each configuration that is in use. */
const callers = new WeakMap<readonly Principal[], Map<Uid, Caller>>();
const MOST_CALLERS = 1000;

function lookUp(uid: Uid, principals: readonly Principal[]): Caller {
  const daemon = principals.find(({ idTypes }) => idTypes === undefined);
  const known = principals.filter((entry) => entry === daemon || entry.idTypes !== undefined);
  const principal = known.findLast((entry) => entry.uid === uid);
  if (principal === undefined) return uid === ROOT ? { kind: 'root' } : { kind: 'unknown' };
  return principal === daemon ? { kind: 'daemon' } : { kind: 'host', principal };
}

/** What an endpoint does, as far as rights go. */
export type Right =
  | { readonly type: 'own-identity' }
  | { readonly type: 'device-identity' }
  | { readonly type: 'module-identity'; readonly moduleId: string }
  | { readonly type: 'manage' };

/** Whether the caller may (the matrix of spec/identity-service.md 4.1). E3 and E10 ask nobody. */
export function isAllowed(caller: Caller, right: Right): boolean {
  if (caller.kind === 'root' || caller.kind === 'daemon') return true;
  if (caller.kind === 'unknown') return false;
  const { idTypes = [], name } = caller.principal;
  const ownModule = idTypes.includes('module') || idTypes.includes('local');
  if (right.type === 'device-identity') return idTypes.includes('device');
  if (right.type === 'own-identity') return idTypes.includes('device') || ownModule;
  if (right.type === 'module-identity') return ownModule && name === right.moduleId;
  return false;
}

/** What E1 answers to a caller that may ask: the device, or its own module. */
export function ownIdentity(
  caller: Caller,
): { readonly kind: 'device' } | { readonly kind: 'module'; readonly moduleId: string } {
  if (caller.kind !== 'host' || caller.principal.idTypes?.includes('device')) return { kind: 'device' };
  return { kind: 'module', moduleId: caller.principal.name };
}
