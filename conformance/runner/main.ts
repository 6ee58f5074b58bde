// The `aziot-conformance` command.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadAreas, longestFirst, select } from '../suite/index.ts';
import { openCatalogue } from './catalogue.ts';
import { runParts } from './engine.ts';
import { expectedOfRust, loadExpected } from './expected.ts';
import { launchFromEnv } from './launch.ts';
import { openLedger } from './ledger.ts';
import { type Options, readOptions, USAGE } from './options.ts';
import { Progress, totals } from './progress.ts';
import { htmlReport, junitReport, loadRecord, type RunRecord, requirementsPage, tapReport } from './reports/index.ts';
import type { Outcome } from './run.ts';
import { type VerdictInput, verdictOn } from './verdict.ts';

const print = (text: string) => process.stdout.write(`${text}\n`);

/** Wrong usage, or a fault of the suite itself: exit 2. */
class UsageError extends Error {}

async function list(options: Options): Promise<number> {
  const catalogue = await openCatalogue();
  for (const { groups } of await wantedParts(options))
    for (const { requirements } of groups)
      for (const { id, source, text } of requirements)
        print(`${id.padEnd(20)} ${(catalogue.of(id)?.level ?? 'must').padEnd(6)} ${source.padEnd(14)} ${text}`);
  return 0;
}

async function wantedParts(options: Options) {
  const areas = await loadAreas();
  return select(areas, options).catch((error: Error) => {
    throw new UsageError(error.message);
  });
}

async function run(options: Options): Promise<number> {
  Object.assign(process.env, options.env);
  const { driver } = launchFromEnv();
  const started = new Date();
  const parts = await wantedParts(options);
  const expectedFile = options.expected ?? (options.driver === 'aziotd-rust' ? expectedOfRust() : undefined);
  const expected = expectedFile === undefined ? [] : await loadExpected(expectedFile);
  const whole = parts.flatMap(({ groups }) => groups.flatMap(({ requirements }) => requirements)).length;
  const progress = new Progress(process.stdout, whole, options);
  const outcomes: Outcome[] = [];
  const ledger = await openLedger();
  process.env['AZIOT_CONFORMANCE_LEDGER'] = ledger.path;
  await runParts(
    longestFirst(parts).map(({ area, name, groups }) => ({
      area,
      name,
      ids: groups.flatMap(({ requirements }) => requirements.map(({ id }) => id)),
    })),
    {
      jobs: options.jobs,
      onOutcome(outcome) {
        outcomes.push(outcome);
        progress.tell(outcome);
      },
    },
  );
  progress.end();
  if (driver === 'azure') print(`${await ledger.sent()} requests were sent`);
  await ledger.close();
  const narrowed = options.only.length > 0 || options.profiles.length > 0;
  const input = {
    ...(await suiteFacts()),
    outcomes,
    expected,
    strict: options.strict,
    without: options.without,
    narrowed,
  };
  const verdict = verdictOn(input);
  const record: RunRecord = {
    format: 1,
    implementation: options.name,
    driver: options.driver,
    started: started.toISOString(),
    seconds: Math.round((Date.now() - started.getTime()) / 100) / 10,
    ok: verdict.ok,
    strict: options.strict,
    narrowed,
    outcomes,
    tolerated: Object.fromEntries(verdict.tolerated.map(({ outcome, why }) => [outcome.id, why])),
    stale: verdict.stale,
    notRun: verdict.notRun.map(({ id }) => id),
    again: againOptions(options),
  };
  tellSum(record, outcomes);
  await writeReports(options, [record]);
  return verdict.ok ? 0 : 1;
}

async function suiteFacts(): Promise<Pick<VerdictInput, 'catalogue' | 'checklists'>> {
  const areas = await loadAreas();
  return { catalogue: await openCatalogue(), checklists: areas.flatMap(({ checklists }) => checklists) };
}

function againOptions({ driver, env }: Options): string[] {
  const option = (name: string, variable: string) => {
    const value = env[`AZIOT_CONFORMANCE_${variable}`];
    return value === undefined ? [] : [name, value];
  };
  return [
    ...(driver === 'ours' ? [] : ['--driver', driver]),
    ...option('--aziotd', 'AZIOTD'),
    ...(env['AZIOT_CONFORMANCE_SOCKETS'] ?? '')
      .split(',')
      .flatMap((socket) => (socket === '' ? [] : ['--socket', socket])),
    ...(env['AZIOT_CONFORMANCE_ALLOW_CHANGES'] === '1' ? ['--allow-changes'] : []),
    ...option('--command', 'COMMAND'),
    ...option('--rust-dir', 'RUST_DIR'),
    ...option('--engine', 'ENGINE'),
    ...option('--est', 'EST'),
    ...option('--cloud', 'CLOUD'),
    ...option('--target', 'TARGET'),
    ...option('--ca', 'CA'),
    ...option('--max-requests', 'MAX_REQUESTS'),
    ...option('--min-spacing', 'MIN_SPACING'),
  ];
}

function tellSum({ tolerated, stale, notRun, ok, seconds }: RunRecord, outcomes: readonly Outcome[]): void {
  const { passed, failed, skipped } = totals(outcomes);
  const quiet = Object.keys(tolerated).length;
  for (const [id, why] of Object.entries(tolerated)) print(`tolerated: ${id}: ${why}`);
  for (const { id, why } of stale)
    print(`stale: ${id} is expected to fail (${why}), and does not; take it out of the file`);
  if (notRun.length > 0)
    print(
      `not run although required: ${notRun.length} cases (${notRun.slice(0, 5).join(', ')}…); say --without, or bring what they need`,
    );
  print(
    `${passed} passed, ${failed - quiet} failed, ${quiet} tolerated, ${skipped} not run, in ${seconds} s: ${ok ? 'conforms' : 'does not conform'}`,
  );
}

async function writeReports(
  { reports, out }: Pick<Options, 'reports' | 'out'>,
  records: readonly RunRecord[],
): Promise<void> {
  if (reports.length === 0) return;
  await mkdir(out, { recursive: true });
  const facts = await suiteFacts();
  const write = async (name: string, content: string) => {
    await writeFile(join(out, name), content);
    print(`wrote ${join(out, name)}`);
  };
  const suffix = (index: number) => (records.length > 1 ? `-${index + 1}` : '');
  for (const kind of reports) {
    if (kind === 'html')
      await write(
        'report.html',
        htmlReport(
          records.map((record) => ({ record, rows: rowsOf(record, facts) })),
          facts.catalogue,
        ),
      );
    for (const [index, record] of records.entries()) {
      if (kind === 'json') await write(`report${suffix(index)}.json`, `${JSON.stringify(record, undefined, 2)}\n`);
      if (kind === 'junit') await write(`junit${suffix(index)}.xml`, junitReport(record));
      if (kind === 'tap') await write(`report${suffix(index)}.tap`, tapReport(record));
    }
  }
}

function rowsOf(record: RunRecord, facts: Pick<VerdictInput, 'catalogue' | 'checklists'>) {
  const expected = Object.entries(record.tolerated).map(([id, why]) => ({ id, why }));
  return verdictOn({ ...facts, ...record, expected, without: [] }).rows;
}

async function report(options: Options): Promise<number> {
  if (options.files.length === 0) throw new UsageError('report needs the json files of one or several runs');
  const records = await Promise.all(options.files.map(loadRecord));
  await writeReports({ out: options.out, reports: options.reports.length > 0 ? options.reports : ['html'] }, records);
  return records.every(({ ok }) => ok) ? 0 : 1;
}

async function requirements({ json, out }: Options): Promise<number> {
  const { files } = await openCatalogue();
  if (json) print(JSON.stringify(files, undefined, 2));
  else {
    await mkdir(out, { recursive: true });
    await writeFile(join(out, 'requirements.html'), requirementsPage(files));
    print(`wrote ${join(out, 'requirements.html')}`);
  }
  return 0;
}

async function main(args: readonly string[]): Promise<number> {
  let options: Options;
  try {
    options = readOptions(args);
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  switch (options.verb) {
    case 'help':
      process.stdout.write(USAGE);
      return 0;
    case 'list':
      return list(options);
    case 'report':
      return report(options);
    case 'requirements':
      return requirements(options);
    case 'run':
      return run(options);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`aziot-conformance: ${message}\n${error instanceof UsageError ? `\n${USAGE}` : ''}`);
  process.exitCode = 2;
}
