import { type Context, type Group, judge } from '../runner/index.ts';
import { keysGroups } from './index.ts';
import { reload } from './reload.ts';

interface TestCase {
  readonly title: string;
  /** Rejects when the requirement is not met; calls `skip` when it cannot be judged here. */
  run(task: { skip(reason?: string): void }): Promise<void>;
}

/** The requirements of groups as cases for a runner of tests, in worlds of that context. */
export function testsOf(context: Context, groups: readonly Group[]): TestCase[] {
  return groups.flatMap(({ name, requirements }) =>
    requirements.map((requirement) => ({
      title: `${requirement.id} ${requirement.text}`,
      async run(task) {
        const { result, reason } = await judge(context, name, requirement);
        if (result === 'skipped') task.skip(reason);
        if (result === 'failed') throw new Error(reason);
      },
    })),
  );
}

const STORE = /^keyd on (file|softhsm|tpm): /;

/** The groups in parts that may run beside each other: by store, what waits for reloads, and the rest. */
export function partOf(part: 'file' | 'softhsm' | 'tpm' | 'reload' | 'rest'): Group[] {
  return keysGroups.filter((group) => (group === reload ? 'reload' : (STORE.exec(group.name)?.[1] ?? 'rest')) === part);
}
