import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { withCompileCache } from './compile-cache.ts';
import type { HostJob, HostOutcome } from './host-process.ts';

const PROGRAM = fileURLToPath(new URL('./host-main.ts', import.meta.url));

/**
 * Runs the host process and waits for its end, at most 90 s.
 *
 * @throws Error when it ends without an outcome
 */
export async function runHost(job: HostJob, signal: AbortSignal): Promise<HostOutcome> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(90_000)]);
  const child = spawn(process.execPath, [PROGRAM], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: withCompileCache(process.env),
    signal: limit,
  });
  const failed = new Promise<never>((_, reject) => child.once('error', reject));
  child.stdin.on('error', () => {
    // a child that has gone already is told by its missing outcome
  });
  child.stdin.end(JSON.stringify(job));
  const [said, complained] = await Promise.race([Promise.all([text(child.stdout), text(child.stderr)]), failed]);
  try {
    return JSON.parse(said) as HostOutcome;
  } catch (cause) {
    throw new Error(complained.trim().split('\n').at(-1) || 'the host process ended without an outcome', { cause });
  }
}
