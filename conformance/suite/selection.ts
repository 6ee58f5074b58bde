import { fits, type Group, idsIn, requirementId } from '../runner/index.ts';
import { type Area, groupsOf } from './areas.ts';

/** Cases of one area that run one after the other in a process of their own. */
export interface Part {
  readonly area: string;
  /** For people: `keys on softhsm`. */
  readonly name: string;
  readonly groups: readonly Group[];
}

const DAEMON_OF_PROFILE: Readonly<Record<string, string>> = {
  keys: 'keyd',
  certificates: 'certd',
  identity: 'identityd',
  tpm: 'tpmd',
};

/** Parts that take half a minute or more, the longest first: begun last, one of them would run alone at the end. */
export const LONG: readonly string[] = [
  'golden identity: in change',
  'golden identity: by hand',
  'golden identity: DPS fails',
  'golden est-wire: alone',
  'keys',
  'edge',
  'golden identity: at start',
  'golden identity: by DPS',
  'est-client',
  'identity',
  'tpm',
  'golden est-wire',
  'certificates reload',
  'keys on softhsm',
];

/** The parts in the order in which a run begins them. */
export function longestFirst(parts: readonly Part[]): Part[] {
  const placeOf = ({ name }: Part): number => (LONG.includes(name) ? LONG.indexOf(name) : LONG.length);
  return parts.toSorted((one, other) => placeOf(one) - placeOf(other));
}

/** Whether a case of an area belongs to a profile: its own area, and for a daemon's profile the transport cases of that daemon. */
function inProfile(profile: string, area: string, id: string): boolean {
  if (profile === area) return true;
  const daemon = DAEMON_OF_PROFILE[profile];
  return area === 'transport' && daemon !== undefined && id.endsWith(`/${daemon}`);
}

/** The names that `--profile` takes. */
export function profileNames(areas: readonly Area[]): string[] {
  return areas.filter(({ groups, golden }) => groups.length + golden.length > 0).map(({ name }) => name);
}

/**
 * The cases that are wanted, in parts that may run beside each other.
 * @throws Error for a profile that no area has, or a pattern that no id fits
 */
export async function select(
  areas: readonly Area[],
  { profiles, only }: { readonly profiles: readonly string[]; readonly only: readonly string[] },
): Promise<Part[]> {
  const known = profileNames(areas);
  for (const profile of profiles)
    if (!known.includes(profile))
      throw new Error(`no profile is called ${JSON.stringify(profile)}; use one of ${known.join(', ')}`);
  const judging = only.flatMap((pattern) => casesFor(areas, pattern));
  const parts: Part[] = [];
  const all: string[] = [];
  for (const area of areas) {
    const byPart = new Map<string, Group[]>();
    for (const group of await groupsOf(area)) {
      const inside = group.requirements.filter(
        ({ id }) => profiles.length === 0 || profiles.some((profile) => inProfile(profile, area.name, id)),
      );
      all.push(...inside.map(({ id }) => id));
      const isWanted = (id: string) =>
        only.some((pattern) => fits(id, pattern)) || judging.some((name) => isOf(id, name));
      const wanted = inside.filter(({ id }) => only.length === 0 || isWanted(id));
      if (wanted.length === 0) continue;
      const part = partName(area.name, group.name);
      byPart.set(part, [...(byPart.get(part) ?? []), { ...group, requirements: wanted }]);
    }
    for (const [name, groups] of byPart) parts.push({ area: area.name, name, groups });
  }
  for (const pattern of only)
    if (!all.some((id) => fits(id, pattern) || casesFor(areas, pattern).some((name) => isOf(id, name))))
      throw new Error(`no id fits ${JSON.stringify(pattern)}; see --list`);
  return parts;
}

const isOf = (id: string, name: string): boolean => id === name || id.startsWith(`${name}/`);

/** The cases that judge requirements without a case of their own: `KS-001` is judged as `TR-001/keyd`. */
function casesFor(areas: readonly Area[], pattern: string): string[] {
  return areas.flatMap(({ checklists }) =>
    checklists.flatMap(({ prefix, without, recorded = {} }) => {
      const of = (number: string) => fits(requirementId(prefix, Number(number)), pattern);
      const named = Object.entries(without).flatMap(([number, reason]) => (of(number) ? idsIn(reason) : []));
      return [...named, ...Object.entries(recorded).flatMap(([number, ids]) => (of(number) ? ids : []))];
    }),
  );
}

/** Recorded exchanges, each store, and what waits for reloads share nothing with the rest of their area. */
function partName(area: string, group: string): string {
  if (group.startsWith('golden ')) return group;
  const store = /\bon (softhsm|tpm)\b/.exec(group)?.[1];
  if (store) return `${area} on ${store}`;
  const daemon = /\b(?:transport|connections|process life|process) of (\w+)/.exec(group)?.[1];
  if (daemon) return `${area} of ${daemon}`;
  return /reload/.test(group) ? `${area} reload` : area;
}
