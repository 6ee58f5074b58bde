import { describe, expect, it } from 'vitest';
import { toUid } from '../ipc/index.ts';
import { identifyCaller, isAllowed, ownIdentity, type Right } from './principals.ts';
import type { IdType, Principal } from './settings.ts';

const principal = (uid: number, name: string, idTypes?: IdType[]): Principal => ({
  uid,
  name,
  idTypes,
  localPurpose: undefined,
});
const OWN: Right = { type: 'own-identity' };
const DEVICE: Right = { type: 'device-identity' };
const MANAGE: Right = { type: 'manage' };
const moduleRight = (moduleId: string): Right => ({ type: 'module-identity', moduleId });

function allowed(uid: number, principals: Principal[]) {
  const caller = identifyCaller(toUid(uid), principals);
  return (right: Right) => isAllowed(caller, right);
}

describe('rights', () => {
  it('IS-018: an unknown uid may nothing', () => {
    const may = allowed(9, [principal(1, 'm', ['module'])]);
    expect([OWN, DEVICE, MANAGE, moduleRight('m')].map(may)).toEqual([false, false, false, false]);
  });

  it('IS-019, IS-021: root and the daemon may everything', () => {
    for (const uid of [0, 4000]) {
      const may = allowed(uid, [principal(4000, 'daemon')]);
      expect([OWN, DEVICE, MANAGE, moduleRight('x')].map(may)).toEqual([true, true, true, true]);
    }
  });

  it('IS-020: root listed as a module is restricted', () => {
    const principals = [principal(0, 'r', ['module'])];
    expect([DEVICE, MANAGE, OWN, moduleRight('r')].map(allowed(0, principals))).toEqual([false, false, true, true]);
    expect(ownIdentity(identifyCaller(toUid(0), principals))).toEqual({ kind: 'module', moduleId: 'r' });
  });

  it('IS-022: only the first daemon principal counts', () => {
    const principals = [principal(1, 'one'), principal(2, 'two')];
    expect(identifyCaller(toUid(1), principals).kind).toBe('daemon');
    expect(identifyCaller(toUid(2), principals).kind).toBe('unknown');
  });

  it('IS-023: a module may have its own identity only', () => {
    const may = allowed(1, [principal(1, 'm', ['module'])]);
    expect([OWN, moduleRight('m')].map(may)).toEqual([true, true]);
    expect([moduleRight('other'), moduleRight('M'), DEVICE, MANAGE].map(may)).toEqual([false, false, false, false]);
  });

  it('IS-024, IS-025: the device right, alone and before the module right', () => {
    const alone = [principal(1, 'd', ['device'])];
    expect([OWN, DEVICE, moduleRight('d'), MANAGE].map(allowed(1, alone))).toEqual([true, true, false, false]);
    const both = [principal(1, 'd', ['device', 'module'])];
    expect(ownIdentity(identifyCaller(toUid(1), both))).toEqual({ kind: 'device' });
    expect(allowed(1, both)(moduleRight('d'))).toBe(true);
  });

  it('IS-026: a local principal asks for the module of its name', () => {
    const principals = [principal(1, 'l', ['local'])];
    expect([OWN, moduleRight('l'), DEVICE].map(allowed(1, principals))).toEqual([true, true, false]);
    expect(ownIdentity(identifyCaller(toUid(1), principals))).toEqual({ kind: 'module', moduleId: 'l' });
  });

  it('IS-028: an empty idtype gives no rights', () => {
    expect([OWN, DEVICE, MANAGE, moduleRight('e')].map(allowed(1, [principal(1, 'e', [])]))).toEqual([
      false,
      false,
      false,
      false,
    ]);
  });

  it('IS-041: the last principal of a uid counts', () => {
    const may = allowed(1, [principal(1, 'a', ['device']), principal(1, 'b', ['module'])]);
    expect([DEVICE, moduleRight('a'), moduleRight('b')].map(may)).toEqual([false, false, true]);
  });
});
