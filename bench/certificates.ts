import { readFileSync } from 'node:fs';
import { type CertdWorld, startCertd } from './certd-world.ts';
import type { Rate } from './load.ts';
import { ceiling, inProcess } from './processes.ts';
import { type Figures, markdownTable, medianRate, rateText } from './report.ts';

const SECONDS = 4;
/** Reading and bare node:http by turns, as the rates change within seconds with the places that the system gives the processes. */
const READ_ROUNDS = 7;
const READ_SECONDS = 2;
const VERSION = 'api-version=2020-09-01';
const CALLERS = 10;
const MANAGED = 1000;
const IDLE_SECONDS = 10;
/** Of a clock tick of the kernel. */
const TICKS_A_SECOND = 100;

const load = (socketPath: string, method: 'GET' | 'POST', target: string, body: string, seconds = SECONDS) =>
  inProcess({ socketPath, method, target, body, connections: CALLERS, keepAlive: true, seconds });

/** A load of issuance, and the processor time of keyd and certd for each, milliseconds. */
async function issue(world: CertdWorld, certId: string): Promise<Rate & { readonly processorMs: number }> {
  const used = () => world.pids.reduce((sum, pid) => sum + processorSeconds(pid), 0);
  const before = used();
  const body = JSON.stringify({ certId: `${certId}-@CALLER@`, csr: world.csr });
  const rate = await load(world.socketPath, 'POST', `/certificates?${VERSION}`, body);
  return { ...rate, processorMs: ((used() - before) * 1000) / (rate.requestsPerSecond * SECONDS) };
}

/** Processor time that a process has used, seconds. */
function processorSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

async function idleShare(): Promise<number> {
  const world = await startCertd({ identities: MANAGED });
  try {
    await new Promise((done) => setTimeout(done, 5000));
    const before = processorSeconds(world.pids[1] ?? 0);
    await new Promise((done) => setTimeout(done, IDLE_SECONDS * 1000));
    return (processorSeconds(world.pids[1] ?? 0) - before) / IDLE_SECONDS;
  } finally {
    await world.close();
  }
}

/** certd with keys in files: issuance, reading beside bare node:http in the same run, and what it costs to do nothing. */
export async function benchCertificates(): Promise<string> {
  const world = await startCertd();
  const bare = await ceiling(JSON.stringify({ pem: world.ca }));
  try {
    const target = `/certificates/ca?${VERSION}`;
    const rounds: Record<'bare' | 'reading', Rate[]> = { bare: [], reading: [] };
    for (let round = 0; round < READ_ROUNDS; round++) {
      rounds.bare.push(await load(bare.socketPath, 'GET', target, '', READ_SECONDS));
      rounds.reading.push(await load(world.socketPath, 'GET', target, '', READ_SECONDS));
    }
    const [ceilingRate, reading] = [medianRate(rounds.bare), medianRate(rounds.reading)];
    const subjects: { name: string; rate: Figures & { processorMs?: number } }[] = [
      { name: 'bare node:http, GET', rate: ceilingRate },
      { name: 'GET of a certificate', rate: reading },
      { name: 'self-signed P-256', rate: await issue(world, 'self') },
      { name: 'local CA P-256', rate: await issue(world, 'leaf') },
    ];
    const rows = subjects.map(({ name, rate }) => [
      name,
      rateText(rate.requestsPerSecond),
      rate.p50.toFixed(2),
      rate.p99.toFixed(2),
      rate.processorMs?.toFixed(2) ?? '',
      String(rate.failures),
    ]);
    const share = reading.requestsPerSecond / ceilingRate.requestsPerSecond;
    const idle = await idleShare();
    return [
      markdownTable(
        ['10 callers, keep-alive', 'requests/s', 'p50 ms', 'p99 ms', 'keyd and certd, ms of processor', 'failures'],
        rows,
      ),
      '',
      `GET: ${share.toFixed(2)} of bare node:http. Idle with ${MANAGED} managed identities: ${(idle * 100).toFixed(1)} % of one processor.`,
    ].join('\n');
  } finally {
    bare.close();
    await world.close();
  }
}
