import { type CertdWorld, startCertd } from './certd-world.ts';
import { callerOf, ecdsaBody, hmacBody, softHsmModule } from './keyd-world.ts';
import { inProcess } from './processes.ts';
import { markdownTable, median, rateText } from './report.ts';

const SECONDS = 5;
/** Ours and the reference by turns, so that a busy moment of the machine meets both. */
const ROUNDS = 3;
const CALLERS = 10;

interface Work {
  readonly name: string;
  readonly socketPath: string;
  readonly target: string;
  readonly body: string;
}

/** What is asked of a world: two kinds of signatures, and with keys in files two ways to issue. */
async function worksOf(world: CertdWorld, token: boolean): Promise<Work[]> {
  const keyd = { call: callerOf(world.keydSocketPath) };
  const sign = { socketPath: world.keydSocketPath, target: '/sign?api-version=2021-05-01' };
  const store = token ? 'SoftHSM' : 'file';
  const signing = [
    { name: `HMAC, ${store}`, ...sign, body: await hmacBody(keyd) },
    { name: `ECDSA P-256, ${store}`, ...sign, body: await ecdsaBody(keyd) },
  ];
  if (token) return signing;
  const issue = (name: string, id: string): Work => ({
    name,
    socketPath: world.socketPath,
    target: '/certificates?api-version=2020-09-01',
    body: JSON.stringify({ certId: `${id}-@CALLER@`, csr: world.csr }),
  });
  return [...signing, issue('self-signed P-256', 'self'), issue('local CA P-256', 'leaf')];
}

/** Requests a second, the median of the rounds of each side. */
async function measure(ours: Work, theirs: Work): Promise<[number, number]> {
  const rates: [number[], number[]] = [[], []];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [side, { socketPath, target, body }] of [ours, theirs].entries()) {
      const load = {
        socketPath,
        target,
        body,
        method: 'POST',
        connections: CALLERS,
        keepAlive: true,
        seconds: SECONDS,
      } as const;
      const { requestsPerSecond, failures } = await inProcess(load);
      if (failures > 0) throw new Error(`${failures} requests of "${ours.name}" failed`);
      process.stderr.write(`${ours.name}, ${side === 0 ? 'ours' : 'reference'}: ${rateText(requestsPerSecond)}/s\n`);
      rates[side]?.push(requestsPerSecond);
    }
  }
  return [median(rates[0]), median(rates[1])];
}

async function compare(reference: string, token: boolean): Promise<string[][]> {
  const ours = await startCertd({ token });
  try {
    const theirs = await startCertd({ token, reference });
    try {
      const [own, other] = [await worksOf(ours, token), await worksOf(theirs, token)];
      const rows: string[][] = [];
      for (const [index, work] of own.entries()) {
        const [mine, its] = await measure(work, other[index] as Work);
        rows.push([work.name, rateText(mine), rateText(its), (mine / its).toFixed(1)]);
      }
      return rows;
    } finally {
      await theirs.close();
    }
  } finally {
    await ours.close();
  }
}

/** keyd and certd beside a release build of the reference, by turns on the same machine. */
export async function benchReference(): Promise<string> {
  const reference = process.env['AZIOT_REFERENCE'];
  if (!reference) throw new Error('AZIOT_REFERENCE names no folder; it must hold aziotd and libaziot_keys.so');
  const rows = await compare(reference, false);
  if (softHsmModule()) rows.push(...(await compare(reference, true)));
  return markdownTable(
    ['10 callers, kept connections', 'ours, requests/s', 'reference, requests/s', 'ours / reference'],
    rows,
  );
}
