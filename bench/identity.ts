import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type IdentityWorld, startIdentity } from './identity-world.ts';
import type { Rate } from './load.ts';
import { ceiling, inProcess } from './processes.ts';
import { type Figures, markdownTable, median, medianRate, rateText } from './report.ts';

/** Where the system puts the processes changes within seconds, and the rates with it: many short rounds by turns. */
const RATE_ROUNDS = 7;
const SECONDS = 2;
const CALLERS = 10;
const OWN = '/identities/identity?api-version=2022-08-01';
const AT_ONCE = 50;
const ROUNDS = 7;
const CREATIONS = 10_000;
const CREATORS = 8;

const rateRow = (name: string, { requestsPerSecond, p50, p99, failures }: Figures): string[] => [
  name,
  rateText(requestsPerSecond),
  p50.toFixed(2),
  p99.toFixed(2),
  String(failures),
];

async function rates(): Promise<string> {
  const rows: string[][] = [];
  const shares: string[] = [];
  for (const caller of ['module', 'root'] as const) {
    const world = await startIdentity(caller);
    const { text } = await world.call('GET', '/identities/identity');
    const bare = await ceiling(text);
    const load = (socketPath: string) =>
      inProcess({
        socketPath,
        method: 'GET',
        target: OWN,
        body: '',
        connections: CALLERS,
        keepAlive: true,
        seconds: SECONDS,
      });
    const of = caller === 'module' ? 'module' : 'device';
    // both are compiled by the time that counts
    await Promise.all([load(bare.socketPath), load(world.socketPath)]);
    const rounds: Record<'bare' | 'ours', Rate[]> = { bare: [], ours: [] };
    for (let round = 0; round < RATE_ROUNDS; round++) {
      rounds.bare.push(await load(bare.socketPath));
      rounds.ours.push(await load(world.socketPath));
    }
    const [best, ours] = [medianRate(rounds.bare), medianRate(rounds.ours)];
    rows.push(rateRow(`bare node:http, the answer for a ${of}`, best), rateRow(`own identity of a ${of}`, ours));
    const share = ours.requestsPerSecond / best.requestsPerSecond;
    shares.push(`${of} ${share.toFixed(2)}`);
    bare.close();
    await world.close();
  }
  const table = markdownTable(['10 callers, keep-alive', 'requests/s', 'p50 ms', 'p99 ms', 'failures'], rows);
  return `${table}\n\nOf bare node:http: ${shares.join(', ')}.`;
}

/** Milliseconds that a process of its own needs to create these modules at the same time. */
function createAtOnce(world: IdentityWorld, through: 'hub' | 'identityd', modules: readonly string[]): Promise<number> {
  const { rootPem, hub, socketPath } = world;
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'create-process.ts')], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', fail);
    child.on('exit', (code) => (code === 0 ? done(Number(text)) : fail(new Error('a creation failed'))));
    child.stdin.end(JSON.stringify({ rootPem, modules, ...(through === 'hub' ? { hub } : { socketPath }) }));
  });
}

async function removeAll(world: IdentityWorld, modules: readonly string[]): Promise<void> {
  for (const id of modules) await world.call('DELETE', `/identities/modules/${id}?type=aziot`);
}

async function creations(): Promise<string> {
  const world = await startIdentity('root');
  const modules = Array.from({ length: AT_ONCE }, (_, index) => `m${index}`);
  const times = { hub: [] as number[], identityd: [] as number[] };
  for (let round = 0; round < ROUNDS; round++) {
    for (const through of ['hub', 'identityd'] as const) {
      const time = await createAtOnce(world, through, modules);
      process.stderr.write(`${AT_ONCE} creations at once, ${through}: ${time.toFixed(0)} ms\n`);
      // the first round warms up
      if (round > 0) times[through].push(time);
      await removeAll(world, modules);
    }
  }
  await world.close();
  const [hub, ours] = [median(times.hub), median(times.identityd)];
  return `${AT_ONCE} creations at the same time, median of ${ROUNDS - 1}: the hub by itself ${hub.toFixed(0)} ms, through identityd ${ours.toFixed(0)} ms, ${(ours / hub).toFixed(2)} times.`;
}

const residentMib = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

async function memory(): Promise<string> {
  const world = await startIdentity('root');
  const samples: number[] = [];
  let begun = 0;
  const creator = async () => {
    while (begun < CREATIONS) {
      const number = begun++;
      if (number % 1000 === 0) {
        samples.push(residentMib(world.pid));
        process.stderr.write(`${number} modules: ${samples.at(-1)?.toFixed(0)} MiB\n`);
      }
      const moduleId = `m${number}`;
      const made = await world.call('POST', '/identities/modules', { type: 'aziot', moduleId });
      const gone = await world.call('DELETE', `/identities/modules/${moduleId}?type=aziot`);
      if (made.status !== 200 || gone.status !== 204) throw new Error(`${moduleId}: ${made.text} ${gone.text}`);
    }
  };
  await Promise.all(Array.from({ length: CREATORS }, creator));
  samples.push(residentMib(world.pid));
  await world.close();
  const text = samples.map((mib) => mib.toFixed(0)).join(', ');
  return `identityd over ${CREATIONS} modules created and deleted, resident MiB after each 1,000: ${text}.`;
}

/** identityd: own identity from the cache beside bare node:http, creations beside the simulator alone, memory over many. */
export async function benchIdentity(): Promise<string> {
  return [await rates(), await creations(), await memory()].join('\n\n');
}
