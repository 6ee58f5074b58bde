import { setTimeout as pause } from 'node:timers/promises';
import type { Cleanup } from './cleanup.ts';
import type { Cloud, CloudRequest } from './cloud.ts';
import type { ConfigFacts } from './daemon-configs.ts';
import type { Daemon, DaemonName } from './daemon-process.ts';
import type { Folders } from './folders.ts';
import { troubleIn } from './log-digest.ts';
import type { Machine } from './machine.ts';
import type { Options } from './options.ts';
import { reasonOf, StepFailure } from './step-failure.ts';
import type { StepPlan, Steps } from './steps.ts';
import type { UnixUser } from './unix-user.ts';

/** What the story is told with. */
export interface StoryTools {
  readonly options: Options;
  readonly machine: Machine;
  readonly folders: Folders;
  readonly host: UnixUser;
  /** The user of this process and of the daemons. */
  readonly ownUid: number;
  readonly steps: Steps;
  readonly cleanup: Cleanup;
  readonly signal: AbortSignal;
  readonly openCloud: (request: CloudRequest) => Promise<Cloud>;
  /** Milliseconds from any start. */
  readonly now: () => number;
}

/** The story under way: what its steps work with. */
export interface Scene extends StoryTools {
  readonly facts: ConfigFacts;
  readonly daemons: Map<DaemonName, Daemon>;
}

/** Whether the host process is another user than the daemons. */
export function hostIsOther({ host, ownUid }: StoryTools): boolean {
  return host.uid !== ownUid;
}

/**
 * A step that leans on daemons: where it fails, the failure shows what they logged.
 *
 * @param concerned the daemon whose last words are shown where none logged trouble
 */
export function runWithDaemons<T>(
  { steps, daemons, signal }: Scene,
  plan: StepPlan,
  concerned: DaemonName,
  work: () => Promise<{ readonly value: T; readonly detail?: string }>,
): Promise<T> {
  return steps.run(plan, async () => {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw error;
      // the answer that ended the step may be faster than the line that explains it
      await pause(100);
      const logs = troubleIn([...daemons.values()], daemons.get(concerned));
      const { name: step, expected, remedy } = plan;
      const failed = error instanceof StepFailure ? error.failed : { step, expected, came: reasonOf(error), remedy };
      throw new StepFailure({ ...failed, logs }, { cause: error });
    }
  });
}
