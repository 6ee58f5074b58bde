import type { Context } from './context.ts';
import type { Level, Need } from './level.ts';

/** Where an expected answer comes from. */
export type Source = 'spec' | 'reference-run' | 'azure-docs' | 'sdk' | 'inferred';

/** One thing that a daemon has to do. */
export interface Requirement {
  /** For example `KS-001`: checklist and number in it. */
  readonly id: string;
  readonly text: string;
  readonly source: Source;
  /** Where no entry of the catalogue (`conformance/suite/requirements`) says it; `must` when left out there too. */
  readonly level?: Level;
  readonly needs?: readonly Need[];
  /** Rejects with a message that says what was expected and what came. */
  run(context: Context): Promise<void>;
}

/** Requirements that belong together; one small file each. */
export interface Group {
  readonly name: string;
  readonly requirements: readonly Requirement[];
  /** Each of its cases has worlds of its own and shares nothing with another: they may be judged at the same time. */
  readonly besideEachOther?: true;
}

/** A numbered checklist: every id in it needs a handler, or a reason why it has none. */
export interface Checklist {
  readonly prefix: string;
  /** Ids run from 1 to this number. */
  readonly count: number;
  /** Numbers that recorded exchanges judge, with their ids: `keys-files#create`. */
  readonly recorded?: Readonly<Record<number, readonly string[]>>;
  /** Ids without a handler here, by number, with the reason. */
  readonly without: Readonly<Record<number, string>>;
}

/** Builds a group from handlers by id: `[text, source, run]`. */
export function group(
  name: string,
  handlers: Readonly<Record<string, readonly [text: string, source: Source, run: (context: Context) => Promise<void>]>>,
): Group {
  return {
    name,
    requirements: Object.entries(handlers).map(([id, [text, source, run]]) => ({ id, text, source, run })),
  };
}

/** A {@link group} whose cases may be judged at the same time. */
export function besideEachOther(...args: Parameters<typeof group>): Group {
  return { ...group(...args), besideEachOther: true };
}

/** `KS` and 7 make `KS-007`. */
export function requirementId(prefix: string, number: number): string {
  return `${prefix}-${String(number).padStart(3, '0')}`;
}

/**
 * The defects of a set of groups against its checklists: ids given twice, ids without handler or reason, ids with both, and
 * handlers of unknown ids. Sub-requirements (`KS-022/slots`) count for their id.
 */
export function registryDefects(groups: readonly Group[], checklists: readonly Checklist[]): string[] {
  const defects: string[] = [];
  const handled = new Set<string>();
  const seen = new Set<string>();
  for (const { id } of groups.flatMap(({ requirements }) => requirements)) {
    if (seen.has(id)) defects.push(`${id} has two handlers`);
    seen.add(id);
    handled.add(id.split('/')[0] ?? id);
  }
  const known = new Set<string>();
  for (const { prefix, count, without, recorded = {} } of checklists) {
    for (let number = 1; number <= count; number += 1) {
      const id = requirementId(prefix, number);
      known.add(id);
      const reason = without[number];
      if (handled.has(id) && reason) defects.push(`${id} has a handler and a reason for having none`);
      if (!handled.has(id) && !reason && !recorded[number]?.length) defects.push(`${id} has no handler`);
    }
    for (const number of Object.keys(without).map(Number))
      if (number < 1 || number > count) defects.push(`${requirementId(prefix, number)} is not in its checklist`);
  }
  const prefixes = new Set(checklists.map(({ prefix }) => prefix));
  for (const id of handled)
    if (prefixes.has(id.split('-')[0] ?? '') && !known.has(id)) defects.push(`${id} is not in its checklist`);
  return defects;
}
