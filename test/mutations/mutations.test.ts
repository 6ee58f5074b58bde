import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { judgeMutant, MUTATIONS } from './judge-mutant.ts';

const SAMPLE = 5;
/** Another seed takes another sample; the default changes by the day. `npm run soak` judges them all. */
const seed = Number(process.env['MUTATION_SEED'] ?? Math.floor(Date.now() / 86_400_000));

/** A few of the mutations, spread over the list. */
function sample() {
  const step = Math.floor(MUTATIONS.length / SAMPLE);
  return Array.from({ length: SAMPLE }, (_item, index) => MUTATIONS[(seed + index * step) % MUTATIONS.length]);
}

test('there are sixty deliberate bugs or more, and each still has its place in the source', () => {
  expect(MUTATIONS.length).toBeGreaterThanOrEqual(60);
  const lost = MUTATIONS.filter(({ file, find }) => {
    const source = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
    return source.split(find).length !== 2;
  });
  expect(lost.map(({ name }) => name)).toEqual([]);
});

test.each(sample())(`the suite notices $name (seed ${seed})`, async (mutation) => {
  expect((await judgeMutant(mutation!))?.reason).toBeTruthy();
});
