import { matchesIdPattern, ROOT, type Uid } from '../ipc/index.ts';

/** Patterns of certificate ids that a uid may write; tables of the same uid are united. */
export type Principals = ReadonlyMap<number, readonly string[]>;

/** Unites `[[principal]]` tables by uid. */
export function unitePrincipals(
  list: readonly { readonly uid: number; readonly certs: readonly string[] }[],
): Principals {
  const united = new Map<number, string[]>();
  for (const { uid, certs } of list) united.set(uid, [...(united.get(uid) ?? []), ...certs]);
  return united;
}

/** Whether a user may create, import or delete a certificate (spec/certificates-service.md 4.2); root always may. */
export function mayWrite(principals: Principals, uid: Uid, certId: string): boolean {
  return uid === ROOT || (principals.get(uid) ?? []).some((pattern) => matchesIdPattern(pattern, certId));
}
