import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { markdownTable, median } from './report.ts';

const SANDBOX = resolve(import.meta.dirname, '../simulators/sandbox/main.ts');
const RUNS = 10;

interface Story {
  readonly timingsMs: Readonly<Record<string, number>>;
  readonly pid: Readonly<Record<string, number>>;
}

function firstDocument(args: readonly string[], then: (story: Story) => void): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [SANDBOX, ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
    let text = '';
    let told = false;
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (told || !text.trimEnd().endsWith('}')) return;
      told = true;
      then(JSON.parse(text) as Story);
      child.kill('SIGTERM');
    });
    child.on('error', fail);
    child.on('exit', () => (told ? done() : fail(new Error('the sandbox ended without its document'))));
  });
}

/** Time from processes started to provisioned, by step: median of ten runs and the share of each step. */
export async function benchStart(): Promise<string> {
  const stories: Story[] = [];
  for (let run = 1; run <= RUNS; run++) {
    await firstDocument(['--json', '--provisioning', 'dps-x509-est'], (story) => stories.push(story));
    process.stderr.write(`run ${run} of ${RUNS}\n`);
  }
  const steps = Object.keys(stories[0]?.timingsMs ?? {});
  const medians = steps.map((step) => ({ step, ms: median(stories.map((story) => story.timingsMs[step] ?? 0)) }));
  const total = medians.filter(({ step }) => step !== 'total').reduce((sum, { ms }) => sum + ms, 0);
  const rows = medians.map(({ step, ms }) => [
    step,
    ms.toFixed(0),
    step === 'total' ? '' : `${((100 * ms) / total).toFixed(0)} %`,
  ]);
  return markdownTable(['step', 'median ms of 10 runs', 'share'], rows);
}

function memoryOf(pid: number): { rss: string; pss: string } {
  const kib = (text: string, name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0);
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const mib = (value: number) => (value / 1024).toFixed(0);
  return { rss: mib(kib(rollup, 'Rss')), pss: mib(kib(rollup, 'Pss')) };
}

/** Resident and proportional memory of each daemon once the device is provisioned. */
export async function benchMemory(): Promise<string> {
  const rows: string[][] = [];
  await firstDocument(['--json', '--provisioning', 'dps-x509-est'], (story) => {
    for (const [name, pid] of Object.entries(story.pid)) {
      const { rss, pss } = memoryOf(pid);
      rows.push([name, rss, pss]);
    }
  });
  return markdownTable(['process', 'resident MiB', 'proportional MiB'], rows);
}
