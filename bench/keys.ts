import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ecdsaBody, hmacBody, type KeydWorld, softHsmModule, startKeyd } from './keyd-world.ts';
import type { Rate } from './load.ts';
import { inProcess } from './processes.ts';
import { markdownTable, median, rateText } from './report.ts';

const HERE = import.meta.dirname;
const SECONDS = 2;
/** Where the system puts the processes changes within seconds, and the rates with it: many short rounds. */
const ROUNDS = 7;
const CALLERS = 10;
/** Sessions that keyd opens on a token at most. */
const SESSIONS = 4;
const MANY_KEYS = 100_000;
/** One kept caller takes 0.03 or 0.07 ms, by where the system puts the two processes: many short rounds by turns, and their median. */
const LOAD_ROUNDS = 8;
const LOAD_SECONDS = 2;
const SIGN = '/sign?api-version=2021-05-01';

interface Row {
  readonly what: string;
  readonly measured: string;
  readonly beside: string;
  readonly ratio: string;
  readonly target: string;
}

const note = (text: string) => process.stderr.write(`${text}\n`);
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

function signLoad(socketPath: string, body: string): Promise<Rate> {
  return inProcess({
    socketPath,
    method: 'POST',
    target: SIGN,
    body,
    connections: CALLERS,
    keepAlive: true,
    seconds: SECONDS,
  });
}

async function bareServer(work: 'hmac' | 'ecdsa'): Promise<{ socketPath: string; close: () => void }> {
  const root = mkdtempSync(join(tmpdir(), 'bench-'));
  const socketPath = join(root, 's.sock');
  const child = spawn(process.execPath, [join(HERE, 'bare-process.ts'), socketPath, work], { stdio: 'ignore' });
  while (!existsSync(socketPath)) await sleep(20);
  return {
    socketPath,
    close() {
      child.kill();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** Rates of keyd and of the bare work, by turns, so that a change of the machine's mood meets both; medians. */
async function beside(world: KeydWorld, work: 'hmac' | 'ecdsa', body: string): Promise<{ own: number; bare: number }> {
  const bare = await bareServer(work);
  try {
    const rates: { own: number[]; bare: number[] } = { own: [], bare: [] };
    for (let round = 0; round < ROUNDS; round++) {
      rates.bare.push((await signLoad(bare.socketPath, body)).requestsPerSecond);
      rates.own.push((await signLoad(world.socketPath, body)).requestsPerSecond);
    }
    return { own: median(rates.own), bare: median(rates.bare) };
  } finally {
    bare.close();
  }
}

function rateRow(what: string, own: number, other: number, name: string, target: number): Row {
  const ratio = own / other;
  note(`${what}: ${rateText(own)}/s, ${name} ${rateText(other)}/s, ratio ${ratio.toFixed(2)}`);
  return {
    what,
    measured: `${rateText(own)}/s`,
    beside: `${name} ${rateText(other)}/s`,
    ratio: ratio.toFixed(2),
    target: `≥ ${target}`,
  };
}

const rssMib = (pid: number): number =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;

const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')[0] ?? 0);

async function fileRows(): Promise<Row[]> {
  const world = await startKeyd('file');
  try {
    await sleep(500);
    const idle = rssMib(world.pid);
    const hmac = await beside(world, 'hmac', await hmacBody(world));
    const ecdsa = await beside(world, 'ecdsa', await ecdsaBody(world));
    return [
      rateRow('HMAC, file key', hmac.own, hmac.bare, 'bare node:http with the same HMAC', 0.85),
      rateRow('ECDSA P-256, file key', ecdsa.own, ecdsa.bare, 'crypto.sign behind bare node:http', 0.9),
      reported('start to first answer, file store', `${world.firstAnswerMs.toFixed(0)} ms`),
      reported('memory of keyd, idle, file store', `${idle.toFixed(0)} MiB`),
    ];
  } finally {
    await world.close();
  }
}

const reported = (what: string, measured: string): Row => {
  note(`${what}: ${measured}`);
  return { what, measured, beside: '', ratio: '', target: 'reported' };
};

async function pkcs11Loop(world: KeydWorld, module: string): Promise<number> {
  const args = [join(HERE, 'pkcs11-loop-process.ts'), module, String(SECONDS), String(SESSIONS)];
  const env = { ...process.env, SOFTHSM2_CONF: join(world.root, 'softhsm2.conf') };
  return Number((await promisify(execFile)(process.execPath, args, { env })).stdout);
}

interface Watched {
  /** How late the event loop was, in milliseconds; the 1 ms between two looks is part of it. */
  readonly p50: number;
  readonly p99: number;
  /** What is alive on the heap. */
  readonly heapMib: number;
}

const watchEnv = (root: string) => ({
  NODE_OPTIONS: `--expose-gc --import=${join(HERE, 'watch-process.ts')}`,
  WATCH_FILE: join(root, 'watched'),
});

/** What watch-process.ts has seen in this keyd since the last time. */
async function watched(world: KeydWorld): Promise<Watched> {
  const file = join(world.root, 'watched');
  rmSync(file, { force: true });
  process.kill(world.pid, 'SIGUSR2');
  while (!existsSync(file) || readFileSync(file, 'utf8') === '') await sleep(5);
  return JSON.parse(readFileSync(file, 'utf8')) as Watched;
}

async function tokenRows(module: string): Promise<Row[]> {
  const plain = await startKeyd('softhsm');
  const rows: Row[] = [];
  try {
    const body = await ecdsaBody(plain);
    const { own, bare } = await beside(plain, 'ecdsa', body);
    const loop = await pkcs11Loop(plain, module);
    const lower = Math.min(loop, bare);
    const name = `lower of pkcs11js ${rateText(loop)}/s and bare node:http ${rateText(bare)}/s:`;
    rows.push(rateRow('ECDSA P-256, SoftHSM', own, lower, name, 0.6));
    rows.push(reported('start to first answer, SoftHSM', `${plain.firstAnswerMs.toFixed(0)} ms`));
  } finally {
    await plain.close();
  }
  const idle = await startKeyd('softhsm');
  await ecdsaBody(idle);
  await sleep(500);
  rows.push(reported('memory of keyd, idle, SoftHSM', `${rssMib(idle.pid).toFixed(0)} MiB`));
  rows.push(reported('memory of the token host, idle', `${rssMib(childOf(idle.pid)).toFixed(0)} MiB`));
  await idle.close();
  rows.push(await busyTokenRow());
  return rows;
}

async function busyTokenRow(): Promise<Row> {
  const world = await startKeyd('softhsm', { env: watchEnv });
  try {
    const body = await ecdsaBody(world);
    let made = 0;
    let busy = true;
    await watched(world);
    const making = (async () => {
      while (busy) {
        await world.call('POST', '/keypair', { keyId: `rsa-${made}`, preferredAlgorithms: 'rsa-4096' });
        made++;
      }
    })();
    await signLoad(world.socketPath, body);
    const { p50, p99 } = await watched(world);
    busy = false;
    await making;
    note(
      `event loop while ${CALLERS} callers sign and one makes RSA-4096 (${made} made): p50 ${p50.toFixed(1)}, p99 ${p99.toFixed(1)} ms`,
    );
    return {
      what: "event loop's delay p99 while 10 callers sign in SoftHSM and one makes RSA-4096",
      measured: `${p99.toFixed(1)} ms`,
      beside: `p50 ${p50.toFixed(1)} ms, ${made} made`,
      ratio: '',
      target: '< 5 ms',
    };
  } finally {
    await world.close();
  }
}

const idOf = (each: number) => `bench-key-${each}`;
const fileOf = (id: string) =>
  `${id.replace(/[^0-9A-Za-z]/g, '')}-${createHash('sha256').update(id).digest('hex')}.key`;

function fill(count: number): (home: string) => void {
  return (home) => {
    mkdirSync(join(home, 'keys'), { mode: 0o700 });
    for (let each = 0; each < count; each++) {
      writeFileSync(join(home, 'keys', fileOf(idOf(each))), Buffer.alloc(32, each % 251), { mode: 0o600 });
    }
  };
}

/** Ids in a fixed order that jumps about, so that no cache knows the next one. */
const scattered = (count: number) => Array.from({ length: count }, (_, each) => (each * 7919) % count);

async function loadById(world: KeydWorld, ids: readonly number[]): Promise<Rate> {
  const targets = ids.map((each) => `/key/${idOf(each)}?api-version=2021-05-01`);
  const load = { method: 'GET', target: '', body: '', connections: 1, keepAlive: true, seconds: LOAD_SECONDS } as const;
  return inProcess({ ...load, socketPath: world.socketPath, targets });
}

async function manyKeysRows(): Promise<Row[]> {
  note(`making ${MANY_KEYS} key files`);
  const few = await startKeyd('file', { prepare: fill(10), env: watchEnv });
  const many = await startKeyd('file', { prepare: fill(MANY_KEYS), env: watchEnv });
  try {
    const p50: Record<'few' | 'same' | 'scattered', number[]> = { few: [], same: [], scattered: [] };
    const ten = scattered(10);
    for (let round = 0; round < LOAD_ROUNDS; round++) {
      p50.few.push((await loadById(few, ten)).p50);
      p50.same.push((await loadById(many, ten)).p50);
      p50.scattered.push((await loadById(many, scattered(MANY_KEYS))).p50);
    }
    const base = median(p50.few);
    const row = (what: string, value: number): Row => {
      note(
        `${what}: p50 ${value.toFixed(3)} ms, with 10 keys ${base.toFixed(3)} ms, ratio ${(value / base).toFixed(2)}`,
      );
      return {
        what,
        measured: `p50 ${value.toFixed(3)} ms`,
        beside: `10 keys ${base.toFixed(3)} ms`,
        ratio: (value / base).toFixed(2),
        target: '≤ 1.10',
      };
    };
    const [own, other] = [(await watched(many)).heapMib, (await watched(few)).heapMib];
    const rss = `resident ${rssMib(many.pid).toFixed(0)} and ${rssMib(few.pid).toFixed(0)} MiB`;
    note(`alive on the heap after that: ${own.toFixed(1)} MiB, with 10 keys ${other.toFixed(1)} MiB; ${rss}`);
    return [
      row('load by id, 100,000 keys in the store, ten of them asked for', median(p50.same)),
      row('load by id, 100,000 keys in the store, all of them asked for', median(p50.scattered)),
      {
        what: 'alive on the heap of keyd after all 100,000 were asked for',
        measured: `${own.toFixed(1)} MiB`,
        beside: `10 keys ${other.toFixed(1)} MiB; ${rss}`,
        ratio: (own / other).toFixed(2),
        target: 'flat',
      },
      reported('start to first answer, 100,000 keys', `${many.firstAnswerMs.toFixed(0)} ms`),
    ];
  } finally {
    await few.close();
    await many.close();
  }
}

/** What keyd must reach in speed and memory, beside the bare work in the same run. */
export async function benchKeys(): Promise<string> {
  const module = softHsmModule();
  const rows = [...(await fileRows()), ...(module ? await tokenRows(module) : []), ...(await manyKeysRows())];
  return markdownTable(
    ['what', 'measured', 'beside', 'ratio', 'target'],
    rows.map(({ what, measured, beside: other, ratio, target }) => [what, measured, other, ratio, target]),
  );
}
