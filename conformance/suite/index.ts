import { certificatesChecklist, certificatesGolden, certificatesGroups } from '../certificates/index.ts';
import { identityChecklist, identityGolden, identityGroups } from '../identity/index.ts';
import { keysChecklist, keysGolden, keysGroups } from '../keys/index.ts';
import { type Checklist, type Group, goldenGroup } from '../runner/index.ts';
import { transportChecklist, transportGroups } from '../transport/index.ts';

export const CHECKLISTS: readonly Checklist[] = [
  transportChecklist,
  keysChecklist,
  certificatesChecklist,
  identityChecklist,
];
export const REQUIREMENT_GROUPS: readonly Group[] = [
  ...transportGroups,
  ...keysGroups,
  ...certificatesGroups,
  ...identityGroups,
];

/** All groups: the numbered requirements, then the recorded exchanges. */
export async function allGroups(): Promise<Group[]> {
  const golden = await Promise.all([...keysGolden, ...certificatesGolden, ...identityGolden].map(goldenGroup));
  return [...REQUIREMENT_GROUPS, ...golden];
}
