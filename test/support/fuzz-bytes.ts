import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';

const CORPUS = join(import.meta.dirname, '../../fixtures/corpus');

/** A file of the corpus. */
export interface Seed {
  readonly name: string;
  readonly bytes: Buffer;
}

/** The files of one folder of the corpus whose names begin so. */
export function seedsOf(folder: string, start = ''): Seed[] {
  const names = readdirSync(join(CORPUS, folder)).filter(
    (name) => name.startsWith(start) || name.startsWith('regression-'),
  );
  return names.toSorted().map((name) => ({ name, bytes: readFileSync(join(CORPUS, folder, name)) }));
}

const share = () => fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });

/** Cuts a stretch, puts bytes or a word there, or repeats another stretch there. */
const change = (words: readonly string[]): fc.Arbitrary<Change> =>
  fc.record({
    at: share(),
    cut: fc.oneof({ weight: 3, arbitrary: fc.integer({ min: 0, max: 8 }) }, fc.integer({ min: 0, max: 400 })),
    put: fc.oneof(
      fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
      fc.constantFrom(...words).map((word) => Buffer.from(word)),
      fc.record({ from: share(), length: fc.integer({ min: 1, max: 200 }) }),
    ),
  });

/** One change; places are shares of the length. */
interface Change {
  readonly at: number;
  readonly cut: number;
  readonly put: Buffer | { readonly from: number; readonly length: number };
}

function changed(bytes: Buffer, { at, cut, put }: Change): Buffer {
  const from = Math.floor(at * bytes.length);
  const repeated = 'from' in put ? Math.floor(put.from * bytes.length) : 0;
  const inserted = 'from' in put ? bytes.subarray(repeated, repeated + put.length) : put;
  return Buffer.concat([bytes.subarray(0, from), inserted, bytes.subarray(from + cut)]);
}

/** Seeds with one to four changes. */
function mutants(seeds: readonly Seed[], words: readonly string[]): fc.Arbitrary<Buffer> {
  const changes = fc.array(change(words), { minLength: 1, maxLength: 4 });
  return fc.tuple(fc.constantFrom(...seeds), changes).map(([seed, list]) => list.reduce(changed, seed.bytes));
}

/** Leaves bytes that were a find where they can be taken into the corpus. */
function keptIn(bytes: Buffer): string {
  const path = join(mkdtempSync(join(tmpdir(), 'fuzz-find-')), 'bytes');
  writeFileSync(path, bytes);
  return path;
}

/**
 * Tries every file of the corpus as it is, then `runs` changed ones. `check` rejects where the bytes are a find.
 *
 * @throws Error with the seed of the run, the cause, and the file with the smallest bytes that show it.
 */
export async function fuzz(
  seeds: readonly Seed[],
  { words, runs }: { readonly words: readonly string[]; readonly runs: number },
  check: (bytes: Buffer) => Promise<unknown> | unknown,
): Promise<void> {
  for (const { name, bytes } of seeds)
    await Promise.resolve(check(bytes)).catch((cause: unknown) => {
      throw new Error(`file ${name} of the corpus is a find`, { cause });
    });
  const property = fc.asyncProperty(mutants(seeds, words), async (bytes) => void (await check(bytes)));
  const result = await fc.check(property, { numRuns: runs });
  if (!result.failed) return;
  const [smallest = Buffer.alloc(0)] = result.counterexample ?? [];
  const where = keptIn(Buffer.from(smallest));
  throw new Error(`find, seed ${result.seed}, path ${result.counterexamplePath}: take ${where} into fixtures/corpus`, {
    cause: result.errorInstance,
  });
}
