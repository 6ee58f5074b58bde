import { type Context, Skipped } from './context.ts';
import type { Checklist, Group, Requirement, Source } from './requirement.ts';
import { requirementId } from './requirement.ts';

/** The verdict on one requirement. */
export interface Outcome {
  readonly id: string;
  readonly group: string;
  readonly text: string;
  readonly source: Source;
  readonly result: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped. */
  readonly reason?: string;
  readonly seconds: number;
}

/** Runs one requirement; its own worlds end with it. */
export async function judge(context: Context, groupName: string, requirement: Requirement): Promise<Outcome> {
  const { id, text, source } = requirement;
  const started = performance.now();
  const outcome = (result: Outcome['result'], reason?: string): Outcome => {
    const seconds = Math.round((performance.now() - started) / 10) / 100;
    return { id, group: groupName, text, source, result, seconds, ...(reason === undefined ? {} : { reason }) };
  };
  try {
    await requirement.run(context);
    return outcome('passed');
  } catch (error) {
    if (error instanceof Skipped) return outcome('skipped', error.message);
    return outcome('failed', error instanceof Error ? error.message : String(error));
  } finally {
    await context.endRequirement();
  }
}

/** Runs all requirements of the groups that `wanted` admits, one after the other, and ends the shared worlds. */
export async function runGroups(
  context: Context,
  groups: readonly Group[],
  wanted: (id: string, group: string) => boolean,
  report: (outcome: Outcome) => void = () => {},
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  try {
    for (const { name, requirements } of groups) {
      for (const requirement of requirements) {
        if (!wanted(requirement.id, name)) continue;
        const outcome = await judge(context, name, requirement);
        outcomes.push(outcome);
        report(outcome);
      }
    }
  } finally {
    await context.dispose();
  }
  return outcomes;
}

/** The ids of the checklists that have no handler here, as skipped outcomes with their reasons. */
export function withoutHandler(
  checklists: readonly Checklist[],
  wanted: (id: string, group: string) => boolean,
): Outcome[] {
  return checklists.flatMap(({ prefix, without }) =>
    Object.entries(without).flatMap(([number, reason]) => {
      const id = requirementId(prefix, Number(number));
      if (!wanted(id, '')) return [];
      return [
        {
          id,
          group: 'not on the wire here',
          text: '',
          source: 'spec' as const,
          result: 'skipped' as const,
          reason,
          seconds: 0,
        },
      ];
    }),
  );
}
