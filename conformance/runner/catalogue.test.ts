import { expect, test } from 'vitest';
import { groupsOf, loadAreas } from '../suite/index.ts';
import { Catalogue, type CatalogueEntry, catalogueDefects, openCatalogue, readCatalogue } from './catalogue.ts';
import { requirementId } from './requirement.ts';

const ENTRY: CatalogueEntry = { id: 'X-001', title: 't', level: 'must', section: '', source: 'spec', needs: [] };
const COUNTS = { KS: 107, SSL: 40, CS: 80, EST: 50, RN: 52, IS: 94, CL: 62, TPM: 38, TR: 60, EDGE: 32 };

test('all ids of the ten checklists are there', async () => {
  const { files } = await openCatalogue();
  for (const [prefix, count] of Object.entries(COUNTS)) {
    const ids = files.find((file) => file.prefix === prefix)?.requirements.map(({ id }) => id);
    expect(ids).toEqual(Array.from({ length: count }, (_item, index) => requirementId(prefix, index + 1)));
  }
});

test('each requirement has a case or a reason, and each case a requirement', async () => {
  const areas = await loadAreas();
  const groups = (await Promise.all(areas.map(groupsOf))).flat();
  const ids = groups.flatMap(({ requirements }) => requirements.map(({ id }) => id));
  const accounted = areas.flatMap(({ checklists }) =>
    checklists.flatMap(({ prefix, without, recorded = {} }) =>
      [...Object.keys(without), ...Object.keys(recorded)].map((number) => requirementId(prefix, Number(number))),
    ),
  );
  expect(catalogueDefects(await openCatalogue(), ids, new Set(accounted))).toEqual([]);
});

test('each numbered case has a requirement of its own: a family stands for recordings and bad input alone', async () => {
  const groups = (await Promise.all((await loadAreas()).map(groupsOf))).flat();
  const numbered = groups.flatMap(({ requirements }) => requirements).filter(({ id }) => /^[A-Z]+-\d{3}/.test(id));
  const catalogue = await openCatalogue();
  expect(numbered.filter(({ id }) => catalogue.of(id)?.id.endsWith('*')).map(({ id }) => id)).toEqual([]);
});

test('each quirk says what the reference does', async () => {
  const quirks = (await openCatalogue()).entries.filter(({ level }) => level === 'quirk');
  expect(quirks.length).toBeGreaterThan(100);
  expect(quirks.filter(({ quirk = '' }) => quirk.length < 15 || /does otherwise/.test(quirk))).toEqual([]);
});

test('a requirement without a case and a case without a requirement are defects', () => {
  const catalogue = new Catalogue([{ prefix: 'X', title: 'x', document: 'x.md', requirements: [ENTRY] }]);
  expect(catalogueDefects(catalogue, ['Y-001'], new Set())).toEqual([
    'case Y-001 belongs to no requirement',
    'requirement X-001 has no case',
  ]);
  expect(catalogueDefects(catalogue, ['X-001/file'], new Set())).toEqual([]);
});

test('a data file with a wrong level, a double id or a quirk without words is refused by name', () => {
  const file = (...requirements: object[]) => ({ prefix: 'X', title: 'x', document: 'x.md', requirements });
  expect(() => readCatalogue('f.json', file({ ...ENTRY, level: 'maybe' }))).toThrow(/f\.json.*X-001.*maybe/);
  expect(() => readCatalogue('f.json', file(ENTRY, ENTRY))).toThrow(/twice/);
  expect(() => readCatalogue('f.json', file({ ...ENTRY, level: 'quirk' }))).toThrow(/what the reference does/);
});
