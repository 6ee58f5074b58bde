import type { RunRecord } from './run-record.ts';

/** Test Anything Protocol, version 14: tolerated failures are `# TODO`, skipped cases `# SKIP`. */
export function tapReport({ outcomes, tolerated }: RunRecord): string {
  const lines = outcomes.flatMap(({ id, text, result, reason }, index) => {
    const why = tolerated[id];
    const skip = result === 'skipped' ? ` # SKIP ${oneLine(reason ?? '')}` : '';
    const todo = why === undefined ? '' : ` # TODO ${oneLine(why)}`;
    const line = `${result === 'failed' ? 'not ok' : 'ok'} ${index + 1} - ${oneLine(`${id} ${text}`)}${skip}${todo}`;
    if (result !== 'failed') return [line];
    return [line, '  ---', '  message: |', ...(reason ?? '').split('\n').map((part) => `    ${part}`), '  ...'];
  });
  return `TAP version 14\n1..${outcomes.length}\n${lines.join('\n')}\n`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replaceAll('#', '\\#');
}
