import { expect, test } from 'vitest';
import { Catalogue, type CatalogueEntry } from './catalogue.ts';
import type { Outcome } from './run.ts';
import { type VerdictInput, verdictOn } from './verdict.ts';

const entry = (id: string, more: Partial<CatalogueEntry> = {}): CatalogueEntry => ({
  id,
  title: id,
  level: 'must',
  section: '',
  source: 'spec',
  needs: [],
  ...more,
});
const outcome = (id: string, result: Outcome['result'], more: Partial<Outcome> = {}): Outcome => ({
  id,
  group: 'g',
  text: id,
  source: 'spec',
  level: 'must',
  store: 'file',
  result,
  seconds: 0,
  ...more,
});
const catalogue = new Catalogue([
  {
    prefix: 'X',
    title: 'x',
    document: 'x.md',
    requirements: [entry('X-001'), entry('X-002', { level: 'quirk', quirk: 'answers 500' }), entry('X-003')],
  },
]);
const judged = (outcomes: readonly Outcome[], more: Partial<VerdictInput> = {}) =>
  verdictOn({
    catalogue,
    checklists: [{ prefix: 'X', count: 3, without: { 3: 'judged as X-001' } }],
    outcomes,
    expected: [],
    strict: false,
    without: [],
    narrowed: false,
    ...more,
  });

test('a failed "must" fails the run, an expected one does not', () => {
  const failed = [outcome('X-001', 'failed')];
  expect(judged(failed).ok).toBe(false);
  expect(judged(failed, { expected: [{ id: 'X-001', why: 'w' }] }).ok).toBe(true);
});

test('an expected difference that is none fails the run as stale, unless it was not asked', () => {
  const expected = [{ id: 'X-001', why: 'w' }];
  expect(judged([outcome('X-001', 'passed')], { expected }).stale).toEqual(expected);
  expect(judged([outcome('X-002', 'passed')], { expected }).ok).toBe(false);
  expect(judged([outcome('X-002', 'passed')], { expected, narrowed: true }).ok).toBe(true);
});

test('an expected difference that shows by chance is not stale in a run without it, but is where no case has its id', () => {
  const expected = [{ id: 'X-001', why: 'hangs on the moment of a kill', byChance: true as const }];
  expect(judged([outcome('X-001', 'passed')], { expected }).ok).toBe(true);
  expect(judged([outcome('X-001', 'failed')], { expected }).ok).toBe(true);
  expect(judged([outcome('X-002', 'passed')], { expected }).stale).toEqual(expected);
});

test('a quirk of the reference counts in a strict run only, and is told with its reason', () => {
  const failed = [outcome('X-002', 'failed')];
  expect(judged(failed).tolerated[0]?.why).toContain('answers 500');
  expect([judged(failed).ok, judged(failed, { strict: true }).ok]).toEqual([true, false]);
});

test('a "must" that the machine cannot judge fails the run unless that was said', () => {
  const skipped = [outcome('X-001', 'skipped', { need: 'tpm', reason: 'no swtpm' })];
  expect(judged(skipped).ok).toBe(false);
  expect(judged(skipped, { without: ['tpm'] }).ok).toBe(true);
});

test('the matrix has a cell a store, and a requirement takes the verdict of the case that judges it', () => {
  const rows = judged([outcome('X-001/file', 'failed'), outcome('X-001/tpm', 'passed', { store: 'tpm' })]).rows;
  expect(rows.find(({ entry: { id } }) => id === 'X-001')?.stores).toMatchObject({
    file: { result: 'failed', failed: 'X-001/file' },
    tpm: { result: 'passed' },
  });
  expect(rows.find(({ entry: { id } }) => id === 'X-003')?.stores.file?.result).toBe('failed');
});
