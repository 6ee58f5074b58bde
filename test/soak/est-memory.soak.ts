import { execFile, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const WHOLE = Number(process.env['AZIOT_SOAK_ISSUANCES'] ?? 100_000);
/** Ledger and journal hold 10,000 each, and the heap finds its size soon after: what comes then must not add. */
const FILLING = Math.min(40_000, (2 * WHOLE) / 5);
const MOST_GROWTH_MIB = 40;

let stop = () => {};
afterEach(() => stop());

it(`the EST simulator: memory is flat over ${WHOLE} issuances`, async () => {
  const args = [join(ROOT, 'simulators/est/main.ts'), '--port', '0', '--control-port', '0', '--json'];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  stop = () => void child.kill('SIGTERM');
  const line = await new Promise<string>((done) => child.stdout.once('data', (chunk) => done(String(chunk))));
  const { url } = JSON.parse(line) as { url: string };
  const residentMiB = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
  const enrol = async (requests: number) => {
    const load = JSON.stringify({ url: `${url}/simpleenroll`, connections: 10, keepAlive: true, seconds: 0, requests });
    const { stdout } = await promisify(execFile)(process.execPath, [join(ROOT, 'bench/est-load-process.ts'), load]);
    expect(JSON.parse(stdout).failures).toBe(0);
  };
  await enrol(FILLING);
  const full = residentMiB();
  await enrol(WHOLE - FILLING);
  const end = residentMiB();
  process.stderr.write(
    `EST simulator: ${full.toFixed(0)} MiB after ${FILLING}, ${end.toFixed(0)} MiB after ${WHOLE}\n`,
  );
  expect(end - full).toBeLessThan(MOST_GROWTH_MIB);
});
