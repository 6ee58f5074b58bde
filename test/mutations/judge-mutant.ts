import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Context, judge, type Outcome } from '../../conformance/runner/index.ts';
import { type Area, groupsOf, loadAreas } from '../../conformance/suite/index.ts';

/** A deliberate bug: a text of one source file that is replaced by another, and the case that has to notice. */
export interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  readonly caughtBy: string;
}

export const MUTATIONS = JSON.parse(
  readFileSync(new URL('mutations.json', import.meta.url), 'utf8'),
) as readonly Mutation[];

const PROGRAM = fileURLToPath(new URL('mutant-aziotd', import.meta.url));
const CLOUD = fileURLToPath(new URL('mutant-cloud', import.meta.url));
const MUTATE = new URL('mutate.mjs', import.meta.url).href;
/** What a program says that could not be loaded, and what is said of one that ended so. */
const NO_PROGRAM =
  /SyntaxError|ReferenceError|ERR_INVALID_TYPESCRIPT|has no single place|no mutation is called|(?:simulator|cloud \S+) ended with/;
const areas = await loadAreas();

/**
 * Judges the daemons, or the simulated cloud, with the mutation by its case; of recorded exchanges all up to that one run, as they rest on each other.
 * Gives the first outcome that failed, undefined when nobody noticed.
 */
export async function judgeMutant({ name, file, caughtBy }: Mutation): Promise<Outcome | undefined> {
  const before = process.env['MUTATION'];
  process.env['MUTATION'] = name;
  process.env['MUTATION_NODE'] = process.execPath;
  const cloud = process.env['AZIOT_CONFORMANCE_CLOUD'];
  const options = process.env['NODE_OPTIONS'];
  // the EST simulator is started by its area, as a program of Node
  if (file.startsWith('simulators/est/')) process.env['NODE_OPTIONS'] = `--import=${MUTATE}`;
  if (file.startsWith('simulators/')) process.env['AZIOT_CONFORMANCE_CLOUD'] = CLOUD;
  const context = new Context({ program: PROGRAM });
  const judged: Area[] = [];
  try {
    for (const area of areas)
      for (const group of await groupsOf(area)) {
        const at = group.requirements.findIndex(({ id }) => id === caughtBy);
        if (at < 0) continue;
        judged.push(area);
        const from = group.name.startsWith('golden ') && !group.besideEachOther ? 0 : at;
        for (const requirement of group.requirements.slice(from, at + 1)) {
          const outcome = await judge(context, group.name, requirement);
          if (outcome.result !== 'failed') continue;
          // a daemon that cannot even be loaded shows nothing about the suite
          if (NO_PROGRAM.test(outcome.reason ?? ''))
            throw new Error(`the mutation ${name} makes no program: ${outcome.reason}`);
          return outcome;
        }
        return undefined;
      }
    throw new Error(`no case is called ${caughtBy}`);
  } finally {
    if (before === undefined) delete process.env['MUTATION'];
    else process.env['MUTATION'] = before;
    await context.dispose();
    for (const area of judged) await area.end();
    if (cloud === undefined) delete process.env['AZIOT_CONFORMANCE_CLOUD'];
    if (options === undefined) delete process.env['NODE_OPTIONS'];
    else process.env['NODE_OPTIONS'] = options;
  }
}
