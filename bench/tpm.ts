import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Swtpm, swtpmIsMissing, TpmProxy } from '../conformance/tpm/index.ts';
import { Tpmd } from '../test/support/tpmd.ts';
import type { Rate } from './load.ts';
import { ceiling, inProcess, served } from './processes.ts';
import { markdownTable, median, rateText } from './report.ts';

const HERE = import.meta.dirname;
const SECONDS = 3;
const ROUNDS = 5;
const CALLERS = 10;
/** What a fast TPM in hardware takes for an HMAC. */
const HARDWARE_MS = 10;
const TARGET = '/sign_with_auth_key?api-version=2020-09-01';
const BODY = JSON.stringify({ data: Buffer.from('hello').toString('base64') });
const ANSWER = JSON.stringify({ digest: Buffer.alloc(32).toString('base64') });

const note = (text: string) => process.stderr.write(`${text}\n`);
const ms = (value: number): string => `${value.toFixed(3)} ms`;

/** p50 of one TPM2_HMAC through the TCTI library alone, milliseconds. */
async function rawCommand(tcti: string): Promise<number> {
  const args = [join(HERE, 'tpm-raw-process.ts'), tcti, String(SECONDS)];
  return (JSON.parse((await promisify(execFile)(process.execPath, args)).stdout) as { p50: number }).p50;
}

function load(socketPath: string, connections: number): Promise<Rate> {
  return inProcess({
    socketPath,
    method: 'POST',
    target: TARGET,
    body: BODY,
    connections,
    keepAlive: true,
    seconds: SECONDS,
  });
}

/** One caller: a signature beside the bare work that it cannot do without, by turns. */
async function oneCaller(what: string, tpmd: Tpmd, tcti: string): Promise<{ rows: string[][]; raw: number }> {
  const bare = await ceiling(ANSWER);
  const blocking = await served('tpm-blocking-process.ts', [tcti, ANSWER]);
  const times: Record<'bare' | 'raw' | 'blocking' | 'own', number[]> = { bare: [], raw: [], blocking: [], own: [] };
  try {
    for (let round = 0; round < ROUNDS; round++) {
      times.bare.push((await load(bare.socketPath, 1)).p50);
      times.raw.push(await rawCommand(tcti));
      times.blocking.push((await load(blocking.socketPath, 1)).p50);
      times.own.push((await load(tpmd.socket, 1)).p50);
    }
  } finally {
    bare.close();
    blocking.close();
  }
  const [http, raw, own] = [median(times.bare), median(times.raw), median(times.own)];
  const both = median(times.blocking);
  const ratio = (own / (http + raw)).toFixed(2);
  note(`${what}, 1 caller: ${ms(own)}, node:http ${ms(http)} + TPM2_HMAC ${ms(raw)}, ratio ${ratio}`);
  note(`  bare node:http that blocks for TPM2_HMAC: ${ms(both)}, ratio ${(own / both).toFixed(2)}`);
  const beside = `bare node:http ${ms(http)} + raw TPM2_HMAC ${ms(raw)}`;
  const name = `${what}: signature, 1 caller, p50`;
  const blocked = `bare node:http that blocks for it ${ms(both)}`;
  return {
    raw,
    rows: [
      [name, ms(own), beside, ratio, '≤ 1.2'],
      [name, ms(own), blocked, (own / both).toFixed(2), 'reported'],
    ],
  };
}

/** Ten callers: the TPM is busy all the time, and each gets its share. */
async function tenCallers(tpmd: Tpmd, raw: number): Promise<string[][]> {
  const { requestsPerSecond, p50, p99, perCaller, failures } = await load(tpmd.socket, CALLERS);
  if (failures > 0) throw new Error(`${failures} signatures failed`);
  const spread = Math.max(...perCaller) / Math.min(...perCaller);
  const most = 1000 / raw;
  note(`${CALLERS} callers: ${rateText(requestsPerSecond)}/s, p50 ${ms(p50)}, p99 ${ms(p99)}, spread ${spread}`);
  const share = (requestsPerSecond / most).toFixed(2);
  return [
    [
      `signatures, ${CALLERS} callers`,
      `${rateText(requestsPerSecond)}/s`,
      `raw ${rateText(most)}/s`,
      share,
      'reported',
    ],
    [`latency p99, ${CALLERS} callers`, ms(p99), `p50 ${ms(p50)}`, (p99 / p50).toFixed(2), '≤ 5: nobody starves'],
    [
      'most served caller',
      `${Math.max(...perCaller)}`,
      `least served ${Math.min(...perCaller)}`,
      spread.toFixed(3),
      '≤ 1.1',
    ],
  ];
}

/** A tpmd with a key, on its way to the TPM. */
async function withTpmd<T>(tcti: string, measure: (tpmd: Tpmd) => Promise<T>): Promise<T> {
  const tpmd = new Tpmd({ log: 'dropped' });
  try {
    const started = await tpmd.start(`tcti = "${tcti}"\nmax_requests = 64`);
    if (started !== 'serves') throw new Error(`tpmd ended with ${started}`);
    const { status } = await tpmd.import(await tpmd.wrap(Buffer.alloc(32, 1)));
    if (status !== 200) throw new Error(`import: ${status}`);
    return await measure(tpmd);
  } finally {
    await tpmd.dispose();
  }
}

/** sign_with_auth_key of tpmd on swtpm, and on one that is as slow as hardware. */
export async function benchTpm(): Promise<string> {
  const missing = swtpmIsMissing();
  if (missing !== undefined) return `not measured: ${missing}`;
  const swtpm = await Swtpm.start();
  const proxy = await TpmProxy.start(swtpm.path);
  try {
    const rows = await withTpmd(swtpm.tcti, async (tpmd) => {
      const { rows, raw } = await oneCaller('swtpm', tpmd, swtpm.tcti);
      return [...rows, ...(await tenCallers(tpmd, raw))];
    });
    const slow = await withTpmd(proxy.tcti, (tpmd) => {
      proxy.play('HMAC', { kind: 'delay', ms: HARDWARE_MS }, Number.POSITIVE_INFINITY);
      return oneCaller(`a TPM that takes ${HARDWARE_MS} ms`, tpmd, proxy.tcti);
    });
    return markdownTable(['what', 'measured', 'beside', 'ratio', 'target'], [...rows, ...slow.rows]);
  } finally {
    await proxy.close();
    await swtpm.dispose();
  }
}
