import { allGroups, CHECKLISTS, REQUIREMENT_GROUPS } from '../suite/index.ts';
import {
  Context,
  launchFromEnv,
  outcomeLine,
  registryDefects,
  runGroups,
  summaryLine,
  withoutHandler,
} from './index.ts';
import { isWanted, type Options, readOptions, USAGE } from './options.ts';

const print = (text: string) => process.stdout.write(`${text}\n`);

async function run(options: Options): Promise<number> {
  const defects = registryDefects(REQUIREMENT_GROUPS, CHECKLISTS);
  if (defects.length > 0) {
    process.stderr.write(`the suite is incomplete:\n${defects.join('\n')}\n`);
    return 1;
  }
  const wanted = (id: string) => isWanted(options, id);
  const groups = await allGroups();
  if (options.list) {
    for (const { requirements } of groups)
      for (const { id, source, text } of requirements)
        if (wanted(id)) print(`${id.padEnd(18)} ${source.padEnd(14)} ${text}`);
    for (const outcome of withoutHandler(CHECKLISTS, wanted)) print(outcomeLine(outcome));
    return 0;
  }
  const launch = { ...launchFromEnv() };
  const chosen = {
    ...launch,
    ...(options.aziotd === undefined ? {} : { program: options.aziotd }),
    ...(options.socketDir === undefined ? {} : { fixedSockets: options.socketDir }),
  };
  const report = options.json ? undefined : (outcome: Parameters<typeof outcomeLine>[0]) => print(outcomeLine(outcome));
  const outcomes = [...(await runGroups(new Context(chosen), groups, wanted, report))];
  for (const outcome of withoutHandler(CHECKLISTS, wanted)) {
    outcomes.push(outcome);
    report?.(outcome);
  }
  if (options.json) print(JSON.stringify({ program: chosen.program, outcomes }, undefined, 2));
  else print(summaryLine(outcomes));
  return outcomes.some(({ result }) => result === 'failed') ? 1 : 0;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options.help) process.stdout.write(USAGE);
  else process.exitCode = await run(options);
} catch (error) {
  process.stderr.write(`aziot-conformance: ${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  process.exitCode = 2;
}
