import type { Catalogue, CatalogueEntry } from './catalogue.ts';
import { type ExpectedDifference, isAbout } from './expected.ts';
import { byId, idsIn } from './ids.ts';
import type { Level, Need } from './level.ts';
import { type Checklist, requirementId } from './requirement.ts';
import type { Outcome, StoreKind } from './run.ts';

/** What a requirement came to on one store. */
export interface Cell {
  readonly result: 'passed' | 'failed' | 'expected' | 'quirk' | 'not-run';
  /** The cases that it comes from. */
  readonly cases: readonly string[];
  /** The failed case that decided. */
  readonly failed?: string;
  readonly reason?: string;
}

/** One row of the matrix. */
export interface Row {
  readonly entry: CatalogueEntry;
  readonly stores: Readonly<Partial<Record<StoreKind, Cell>>>;
  /** Why the suite has no case of its own for it. */
  readonly without?: string;
}

/** The verdict on a whole run. */
export interface Verdict {
  readonly ok: boolean;
  readonly rows: readonly Row[];
  /** Failed cases that count. */
  readonly failures: readonly Outcome[];
  /** Failed cases that are expected, or of a level that does not count. */
  readonly tolerated: readonly { readonly outcome: Outcome; readonly why: string }[];
  /** "Must" cases that this machine or driver could not judge although it was not told so. */
  readonly notRun: readonly Outcome[];
  /** Expected differences that are none. */
  readonly stale: readonly ExpectedDifference[];
}

export interface VerdictInput {
  readonly catalogue: Catalogue;
  readonly checklists: readonly Checklist[];
  readonly outcomes: readonly Outcome[];
  readonly expected: readonly ExpectedDifference[];
  /** Every level counts as `must`. */
  readonly strict: boolean;
  /** Needs that may be lacking. */
  readonly without: readonly Need[];
  /** Whether what was asked is only a part: rows without any case are left out then. */
  readonly narrowed: boolean;
}

/** Judges a run: what failed and counts, what was expected, what is stale, and the matrix. */
export function verdictOn(input: VerdictInput): Verdict {
  const { catalogue, outcomes, expected, strict, without } = input;
  const levelOf = (outcome: Outcome): Level => catalogue.of(outcome.id)?.level ?? outcome.level;
  const failures: Outcome[] = [];
  const tolerated: { outcome: Outcome; why: string }[] = [];
  for (const outcome of outcomes.filter(({ result }) => result === 'failed')) {
    const why = expected.find((difference) => isAbout(difference, outcome.id))?.why ?? toleratedWhy(outcome);
    if (why === undefined) failures.push(outcome);
    else tolerated.push({ outcome, why });
  }
  function toleratedWhy(outcome: Outcome): string | undefined {
    const level = levelOf(outcome);
    if (strict || level === 'must') return undefined;
    const quirk = catalogue.of(outcome.id)?.quirk;
    return level === 'quirk' ? `the reference does so too: ${quirk ?? 'a known quirk'}` : 'recommended, not required';
  }
  const stale = expected.filter((difference) => {
    const about = outcomes.filter(({ id }) => isAbout(difference, id));
    if (about.length === 0) return !input.narrowed;
    if (difference.byChance) return false;
    return about.some(({ result }) => result === 'passed') && about.every(({ result }) => result !== 'failed');
  });
  const notRun = outcomes.filter(
    (outcome) =>
      outcome.result === 'skipped' &&
      outcome.need !== undefined &&
      !without.includes(outcome.need) &&
      (strict || levelOf(outcome) === 'must'),
  );
  const ok = failures.length === 0 && stale.length === 0 && notRun.length === 0;
  return { ok, rows: rowsOf(input, tolerated), failures, tolerated, notRun, stale };
}

const STORES: readonly StoreKind[] = ['file', 'softhsm', 'tpm'];

function rowsOf(input: VerdictInput, tolerated: readonly { outcome: Outcome; why: string }[]): Row[] {
  const { catalogue, outcomes, checklists, narrowed } = input;
  const whyById = new Map(tolerated.map(({ outcome, why }) => [outcome.id, why]));
  const byEntry = new Map<string, Outcome[]>();
  const add = (entryId: string, outcome: Outcome) => byEntry.set(entryId, [...(byEntry.get(entryId) ?? []), outcome]);
  for (const outcome of outcomes) {
    const entry = catalogue.of(outcome.id);
    if (entry) add(entry.id, outcome);
  }
  const reasons = new Map<string, string>();
  for (const { prefix, without, recorded = {} } of checklists) {
    for (const [number, names] of Object.entries(recorded)) {
      const id = requirementId(prefix, Number(number));
      for (const outcome of outcomes.filter((one) => names.includes(one.id))) add(id, outcome);
    }
    for (const [number, reason] of Object.entries(without)) {
      const id = requirementId(prefix, Number(number));
      reasons.set(id, reason);
      const named = idsIn(reason);
      for (const outcome of outcomes.filter((one) => named.some((name) => isNamed(one.id, name)))) add(id, outcome);
    }
  }
  const rows = catalogue.entries.map((entry): Row => {
    const own = byEntry.get(entry.id) ?? [];
    const stores = Object.fromEntries(
      STORES.flatMap((store) => {
        const cell = cellOf(
          own.filter((outcome) => outcome.store === store),
          whyById,
        );
        return cell ? [[store, cell]] : [];
      }),
    );
    const reason = reasons.get(entry.id);
    return reason === undefined ? { entry, stores } : { entry, stores, without: reason };
  });
  const shown = narrowed ? rows.filter(({ stores }) => Object.keys(stores).length > 0) : rows;
  return shown.toSorted((one, other) => byId(one.entry.id, other.entry.id));
}

function isNamed(caseId: string, name: string): boolean {
  return caseId === name || caseId.startsWith(`${name}/`);
}

function cellOf(outcomes: readonly Outcome[], whyById: ReadonlyMap<string, string>): Cell | undefined {
  if (outcomes.length === 0) return undefined;
  const cases = outcomes.map(({ id }) => id);
  const failed = outcomes.filter(({ result }) => result === 'failed');
  const counting = failed.find(({ id }) => !whyById.has(id));
  if (counting) return { result: 'failed', cases, failed: counting.id, reason: counting.reason ?? '' };
  const [first] = failed;
  const why = first && whyById.get(first.id);
  if (first && why !== undefined) {
    const result = why.startsWith('the reference does so too') ? 'quirk' : 'expected';
    return { result, cases, failed: first.id, reason: why };
  }
  if (outcomes.some(({ result }) => result === 'passed')) return { result: 'passed', cases };
  return { result: 'not-run', cases, reason: outcomes[0]?.reason ?? '' };
}
