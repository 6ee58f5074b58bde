import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { idsIn, requirementId } from '../runner/index.ts';
import { groupsOf, loadAreas } from './areas.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TESTS = ['impl', 'simulators', 'test'];

/** The text of every test outside of this suite, by path. */
async function testTexts(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const folder of TESTS) {
    const names = await readdir(`${ROOT}${folder}`, { recursive: true });
    for (const name of names.filter((one) => one.endsWith('.test.ts') && !one.includes('node_modules')))
      found.set(`${folder}/${name}`, await readFile(`${ROOT}${folder}/${name}`, 'utf8'));
  }
  return found;
}

async function listedDifferences(): Promise<string> {
  const names = await readdir(`${ROOT}docs/differences`);
  return (await Promise.all(names.map((name) => readFile(`${ROOT}docs/differences/${name}`, 'utf8')))).join('\n');
}

/** `SSL-035 to SSL-040` names those between as well. */
function rangesIn(text: string): string[] {
  return [...text.matchAll(/([A-Z]+)-(\d{3}) to \1-(\d{3})/g)].flatMap(([, prefix = '', from, to]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_, at) => requirementId(prefix, Number(from) + at)),
  );
}

test('what has no case here names a case, a test with its number, or is a listed difference', async () => {
  const areas = await loadAreas();
  const groups = (await Promise.all(areas.map(groupsOf))).flat();
  const cases = new Set(groups.flatMap(({ requirements }) => requirements.map(({ id }) => id)));
  const requirementsWithCase = new Set([...cases].map((id) => id.split('/')[0]));
  const texts = await testTexts();
  const differences = await listedDifferences();
  const differing = new Set([...idsIn(differences), ...rangesIn(differences)]);
  const placeless: string[] = [];
  for (const { prefix, without } of areas.flatMap(({ checklists }) => checklists))
    for (const [number, reason] of Object.entries(without)) {
      const id = requirementId(prefix, Number(number));
      const isCase = idsIn(reason).some((name) => cases.has(name) || requirementsWithCase.has(name));
      const isTested = [...texts.values()].some((text) => new RegExp(`\\b${id}\\b`).test(text));
      for (const [path] of reason.matchAll(/\b(?:impl|simulators|test)\/[\w./-]+\.test\.ts/g))
        if (!texts.has(path)) placeless.push(`${id}: there is no ${path}`);
      if (!isCase && !isTested && !differing.has(id)) placeless.push(`${id}: ${reason}`);
    }
  expect(placeless).toEqual([]);
});
