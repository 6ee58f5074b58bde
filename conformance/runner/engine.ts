import { fileURLToPath } from 'node:url';
import type { TestCase, TestSpecification } from 'vitest/node';
import type { Outcome } from './run.ts';

/** Cases of one area that run one after the other in one process. */
export interface EnginePart {
  readonly area: string;
  readonly name: string;
  readonly ids: readonly string[];
}

export interface EngineOptions {
  /** How many parts run beside each other. */
  readonly jobs: number;
  onOutcome(outcome: Outcome): void;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RUN_FILE = 'conformance/suite/cases.run.ts';
const CASE_MS = 300_000;
/** Cases of one part that run at the same time, where they may: most of their time they wait. */
const BESIDE_EACH_OTHER = 6;

/**
 * Runs the parts in vitest: one project a part, all with the same file, which is told by `provide` what to judge.
 * @throws Error when a part ended before its cases were judged
 */
export async function runParts(parts: readonly EnginePart[], { jobs, onOutcome }: EngineOptions): Promise<void> {
  const { BaseSequencer, startVitest } = await import('vitest/node');
  const places = new Map(parts.map(({ name }, at) => [name, at]));
  const placeOf = ({ project }: TestSpecification) => places.get(project.name) ?? parts.length;
  /** Parts begin in the order in which they are given. */
  class InOrder extends BaseSequencer {
    override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
      return files.toSorted((one, other) => placeOf(one) - placeOf(other));
    }
  }
  const judged = new Set<string>();
  const errors: string[] = [];
  const onTestCaseResult = (testCase: TestCase) => {
    const { outcome } = testCase.meta();
    if (!outcome) return;
    judged.add(outcome.id);
    onOutcome(outcome);
  };
  const vitest = await startVitest('test', [], {
    config: false,
    root: ROOT,
    watch: false,
    maxWorkers: jobs,
    sequence: { sequencer: InOrder },
    reporters: [
      {
        onTestCaseResult,
        onTestModuleEnd: (module) => void errors.push(...module.errors().map(({ message }) => message)),
        onTestRunEnd: (_modules, unhandled) => void errors.push(...unhandled.map(({ message }) => message)),
      },
    ],
    projects: parts.map(({ area, name, ids }) => ({
      root: ROOT,
      test: {
        name,
        include: [RUN_FILE],
        pool: 'forks' as const,
        testTimeout: CASE_MS,
        hookTimeout: CASE_MS,
        maxConcurrency: BESIDE_EACH_OTHER,
        provide: { conformance: { area, ids } },
      },
    })),
  });
  await vitest.close();
  // vitest speaks of failed cases by the exit code of this process; the verdict is ours to give
  process.exitCode = 0;
  const missing = parts.flatMap(({ ids }) => ids).filter((id) => !judged.has(id));
  if (missing.length > 0 || errors.length > 0)
    throw new Error(
      `${missing.length} cases were not judged (${missing.slice(0, 5).join(', ')}…): ${errors.join('; ') || 'no error was told'}`,
    );
}
