import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Simulated, startSimulated } from './simulated.ts';
import { runCommand } from './testing.ts';

// services that run already: what a file describes, and nothing else
let simulated: Simulated;
let folder: string;
let target: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'external-services-'));
  simulated = await startSimulated();
  target = join(folder, 'target.json');
  await writeFile(target, JSON.stringify(simulated.target));
});
afterAll(async () => {
  await simulated.stop();
  await rm(folder, { recursive: true });
});
beforeEach(() => simulated.cloud.clearJournal());

const run = (...args: readonly string[]) =>
  runCommand([
    '--driver',
    'external',
    '--profile',
    'dps,hub',
    '--only',
    'DPS-001,DPS-020,HUB-016,HUB-040,HUB-080',
    ...args,
  ]);

test('what runs already is not changed unless that is allowed', async () => {
  const { code, text } = await run('--target', target, '--without', 'changes');
  const methods = (await simulated.cloud.journal()).map(({ method }) => method);
  expect(new Set(methods)).toEqual(new Set(['GET']));
  expect(text).toMatch(/2 passed, 0 failed, 0 tolerated, 3 not run/);
  expect(code, text).toBe(0);
});

test('with leave to change it all of it is judged', async () => {
  const { code, text } = await run('--target', target, '--allow-changes');
  expect(text).toMatch(/5 passed, 0 failed/);
  expect(code, text).toBe(0);
});

test('without a description nothing is judged in its place', async () => {
  const { code, text } = await run();
  expect(text).toMatch(/0 passed, 0 failed, 0 tolerated, 5 not run/);
  expect(text).toContain('--target');
  expect(code, text).toBe(1);
});
