import { mkdir, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { judgeMutant, MUTATIONS } from '../mutations/judge-mutant.ts';

test('the suite notices every deliberate bug', async () => {
  const report: { name: string; file: string; caughtBy: string | null; reason: string | null }[] = [];
  for (const mutation of MUTATIONS) {
    const outcome = await judgeMutant(mutation);
    const { name, file } = mutation;
    report.push({ name, file, caughtBy: outcome?.id ?? null, reason: outcome?.reason?.split('\n')[0] ?? null });
    process.stdout.write(`${outcome ? 'caught ' : 'MISSED '} ${name.padEnd(32)} ${outcome?.id ?? mutation.caughtBy}\n`);
  }
  await mkdir('conformance-report', { recursive: true });
  await writeFile('conformance-report/mutations.json', `${JSON.stringify(report, undefined, 2)}\n`);
  expect(report.filter(({ caughtBy }) => caughtBy === null).map(({ name }) => name)).toEqual([]);
});
