import type { Outcome } from '../run.ts';
import { markup } from './markup.ts';
import { againCommand, type RunRecord } from './run-record.ts';

/** JUnit XML as build servers read it: one suite a group; tolerated failures are skipped there, with the reason. */
export function junitReport(record: RunRecord): string {
  const groups = Map.groupBy(record.outcomes, ({ group }) => group);
  const suites = [...groups].map(([name, outcomes]) => {
    const count = (word: string) => outcomes.filter((outcome) => verdict(record, outcome) === word).length;
    const head = `<testsuite name="${markup(name)}" tests="${outcomes.length}" failures="${count('failed')}" errors="0" skipped="${count('skipped')}" time="${seconds(outcomes)}">`;
    return `${head}\n${outcomes.map((outcome) => testCase(record, outcome)).join('\n')}\n</testsuite>`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="${markup(record.implementation)}" time="${record.seconds}">\n${suites.join('\n')}\n</testsuites>\n`;
}

function verdict({ tolerated }: RunRecord, { id, result }: Outcome): Outcome['result'] {
  return result === 'failed' && tolerated[id] !== undefined ? 'skipped' : result;
}

function testCase(record: RunRecord, outcome: Outcome): string {
  const { id, text, group, reason = '' } = outcome;
  const head = `<testcase classname="${markup(group)}" name="${markup(`${id} ${text}`)}" time="${outcome.seconds}"`;
  switch (verdict(record, outcome)) {
    case 'passed':
      return `${head}/>`;
    case 'skipped':
      return `${head}><skipped message="${markup(record.tolerated[id] ?? reason)}"/></testcase>`;
    case 'failed':
      return `${head}><failure message="${markup(reason.split('\n')[0] ?? '')}">${markup(`${reason}\n\n${againCommand(record, id)}`)}</failure></testcase>`;
  }
}

function seconds(outcomes: readonly Outcome[]): string {
  return outcomes.reduce((sum, outcome) => sum + outcome.seconds, 0).toFixed(2);
}
