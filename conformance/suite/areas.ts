import { readdir } from 'node:fs/promises';
import { type Checklist, type Group, goldenGroups, type Scenario } from '../runner/index.ts';

/** One folder of requirements: what its door (`conformance/<name>/index.ts`) gives. */
export interface Area {
  readonly name: string;
  readonly groups: readonly Group[];
  readonly golden: readonly Scenario[];
  readonly checklists: readonly Checklist[];
  /** Ends what the area keeps running beside the worlds. */
  end(): Promise<void>;
}

/** Folders of this folder that hold no requirements. */
const NO_AREA = new Set(['runner', 'suite', 'testing']);
const HERE = new URL('../', import.meta.url);

/**
 * All areas, found by their folders: a new one is a matter of new files. Of a door count the exports that end in `Groups` (a list of
 * groups), `Golden` (a list of scenarios), `Checklist` (one checklist) or `Checklists`, and the functions `end…`.
 */
export async function loadAreas(): Promise<Area[]> {
  const entries = await readdir(HERE, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory() && !NO_AREA.has(entry.name)).map(({ name }) => name);
  return Promise.all(names.toSorted().map(loadArea));
}

/** One area by the name of its folder. */
export async function loadArea(name: string): Promise<Area> {
  return areaOf(name, (await import(new URL(`${name}/index.ts`, HERE).href)) as Readonly<Record<string, unknown>>);
}

/** Parts the exports of a door by the ends of their names. */
export function areaOf(name: string, door: Readonly<Record<string, unknown>>): Area {
  const ending = (word: RegExp) =>
    Object.entries(door)
      .filter(([key]) => word.test(key))
      .map(([, value]) => value);
  const ends = ending(/^end[A-Z]/).filter((value): value is () => Promise<void> => typeof value === 'function');
  return {
    name,
    groups: ending(/Groups$/).flat() as Group[],
    golden: ending(/Golden$/).flat() as Scenario[],
    checklists: ending(/Checklists?$/).flat() as Checklist[],
    end: async () => {
      for (const end of ends) await end();
    },
  };
}

/** All groups of an area: the numbered requirements, then the recorded exchanges. */
export async function groupsOf(area: Area): Promise<Group[]> {
  return [...area.groups, ...(await Promise.all(area.golden.map(goldenGroups))).flat()];
}
