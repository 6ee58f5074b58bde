import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { markdownTable, median, rateText } from './report.ts';

const HERE = import.meta.dirname;
const SIMULATOR = join(HERE, '../simulators/est/main.ts');
const SECONDS = 4;
const ROUNDS = 3;
const CALLERS = 10;

interface Server {
  readonly url: string;
  readonly pid: number;
  close(): Promise<void>;
}

/** Starts a server that prints one line of JSON with its URL. */
async function start(program: string, args: readonly string[]): Promise<Server> {
  const child: ChildProcess = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((done) => child.stdout?.once('data', (chunk) => done(String(chunk))));
  return {
    url: (JSON.parse(line) as { url: string }).url,
    pid: child.pid ?? 0,
    close: () =>
      new Promise((done) => {
        child.once('exit', () => done());
        child.kill('SIGTERM');
      }),
  };
}

/** Requests a second of one load, in a process of its own. */
async function rateOf(url: string, keepAlive: boolean): Promise<number> {
  const load = JSON.stringify({ url, connections: CALLERS, keepAlive, seconds: SECONDS });
  const { stdout } = await promisify(execFile)(process.execPath, [join(HERE, 'est-load-process.ts'), load]);
  const { requestsPerSecond, failures } = JSON.parse(stdout) as { requestsPerSecond: number; failures: number };
  if (failures > 0) throw new Error(`${failures} requests failed`);
  return requestsPerSecond;
}

/** Issuance of the EST simulator beside a bare node:https handler with one P-256 verify and one sign, in turns in the same run. */
export async function benchEst(): Promise<string> {
  const bare = await start(join(HERE, 'est-bare-process.ts'), []);
  const est = await start(SIMULATOR, ['--port', '0', '--control-port', '0', '--json']);
  try {
    const rows: string[][] = [];
    for (const keepAlive of [true, false]) {
      const bareRates: number[] = [];
      const estRates: number[] = [];
      for (let round = 0; round < ROUNDS; round++) {
        bareRates.push(await rateOf(bare.url, keepAlive));
        estRates.push(await rateOf(`${est.url}/simpleenroll`, keepAlive));
      }
      const [ceiling, ours] = [median(bareRates), median(estRates)];
      rows.push([
        keepAlive ? 'kept' : 'new each',
        rateText(ceiling),
        rateText(ours),
        (ours / ceiling).toFixed(2),
        '0.40',
      ]);
    }
    return markdownTable(['connection', 'bare node:https /s', 'simpleenroll P-256 /s', 'share', 'wanted'], rows);
  } finally {
    await Promise.all([bare.close(), est.close()]);
  }
}
