import { readdir, readFile } from 'node:fs/promises';
import { type Level, NEEDS, type Need } from './level.ts';
import type { Source } from './requirement.ts';

/** One requirement as data. */
export interface CatalogueEntry {
  /** `KS-017`; an id that ends in `*` stands for every case whose id begins so. */
  readonly id: string;
  readonly title: string;
  readonly level: Level;
  /** Section of the document, for example `3.2`. */
  readonly section: string;
  readonly source: Source;
  readonly needs: readonly Need[];
  /** What the reference does instead, where the level is `quirk`. */
  readonly quirk?: string;
  /** Where it is judged while no case of this suite does. */
  readonly elsewhere?: string;
}

/** A data file of requirements: one checklist. */
export interface CatalogueFile {
  readonly prefix: string;
  readonly title: string;
  /** The document of the specification that it belongs to. */
  readonly document: string;
  readonly requirements: readonly CatalogueEntry[];
}

const FOLDER = new URL('../suite/requirements/', import.meta.url);
const LEVELS: readonly string[] = ['must', 'should', 'quirk'];
const SOURCES: readonly string[] = ['spec', 'reference-run', 'azure-docs', 'sdk', 'inferred'];

/** All requirements, file by file; a new file in the folder is all that a new checklist takes. */
async function loadCatalogue(folder: URL = FOLDER): Promise<CatalogueFile[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).toSorted();
  return Promise.all(
    names.map(async (name) => readCatalogue(name, JSON.parse(await readFile(new URL(name, folder), 'utf8')))),
  );
}

/** @throws Error naming the file and requirement of what is wrong */
export function readCatalogue(name: string, value: unknown): CatalogueFile {
  const file = value as CatalogueFile;
  const seen = new Set<string>();
  for (const entry of file.requirements) {
    const wrong = (what: string) => new Error(`${name}: requirement ${entry.id} ${what}`);
    if (seen.has(entry.id)) throw wrong('is given twice');
    seen.add(entry.id);
    if (!entry.title) throw wrong('has no title');
    if (!LEVELS.includes(entry.level)) throw wrong(`has the unknown level ${entry.level}`);
    if (!SOURCES.includes(entry.source)) throw wrong(`has the unknown source ${entry.source}`);
    if (typeof entry.section !== 'string') throw wrong('has no section');
    if (entry.needs.some((need) => !NEEDS.some((known) => known === need)))
      throw wrong(`has an unknown need in ${entry.needs.join(', ')}`);
    if (entry.level === 'quirk' && !entry.quirk) throw wrong('is a quirk and does not say what the reference does');
  }
  return file;
}

/** Finds the entry that a case belongs to: its id up to `/`, else the longest `*` that its id begins with. */
export class Catalogue {
  readonly files: readonly CatalogueFile[];
  readonly #exact: ReadonlyMap<string, CatalogueEntry>;
  readonly #families: readonly CatalogueEntry[];

  constructor(files: readonly CatalogueFile[]) {
    this.files = files;
    const entries = files.flatMap(({ requirements }) => requirements);
    this.#exact = new Map(entries.map((entry) => [entry.id, entry]));
    this.#families = entries
      .filter(({ id }) => id.endsWith('*'))
      .toSorted((one, other) => other.id.length - one.id.length);
  }

  get entries(): readonly CatalogueEntry[] {
    return this.files.flatMap(({ requirements }) => requirements);
  }

  of(caseId: string): CatalogueEntry | undefined {
    const exact = this.#exact.get(caseId) ?? this.#exact.get(caseId.split('/')[0] ?? '');
    return exact ?? this.#families.find(({ id }) => caseId.startsWith(id.slice(0, -1)));
  }
}

/** Cases that belong to no requirement, and requirements that nothing judges. */
export function catalogueDefects(
  catalogue: Catalogue,
  caseIds: readonly string[],
  accounted: ReadonlySet<string>,
): string[] {
  const judged = new Set(caseIds.map((id) => catalogue.of(id)?.id));
  return [
    ...caseIds.filter((id) => !catalogue.of(id)).map((id) => `case ${id} belongs to no requirement`),
    ...catalogue.entries
      .filter(({ id, elsewhere }) => !judged.has(id) && !accounted.has(id) && !elsewhere)
      .map(({ id }) => `requirement ${id} has no case`),
  ];
}

export async function openCatalogue(): Promise<Catalogue> {
  return new Catalogue(await loadCatalogue());
}
