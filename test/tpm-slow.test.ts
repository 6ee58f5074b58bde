import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Swtpm, swtpmIsMissing, TpmProxy } from '../conformance/tpm/index.ts';
import { hmac, Tpmd } from './support/tpmd.ts';

const WATCH = resolve(import.meta.dirname, '../bench/watch-process.ts');
/** A Node that does nothing but look how late it is: what this machine does to anybody now. */
const IDLE = `import { monitorEventLoopDelay } from 'node:perf_hooks';
const histogram = monitorEventLoopDelay({ resolution: 1 });
histogram.enable();
process.on('SIGTERM', () => { console.log(histogram.percentile(99) / 1e6); process.exit(0); });
setInterval(() => {}, 1000);
console.log('watching');`;
const SLOW_MS = 500;
const CALLERS = 10;
const KEY = Buffer.alloc(32, 7);
const DATA = Buffer.from('hello');
const missing = swtpmIsMissing();

class IdleNode {
  readonly #child: ChildProcess;
  #text = '';

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#text += text;
    });
  }

  static async start(): Promise<IdleNode> {
    const args = ['--input-type=module', '-e', IDLE];
    const idle = new IdleNode(spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] }));
    while (!idle.#text.includes('watching')) await pause(10);
    return idle;
  }

  /** Ends it; gives how late it was, p99 in milliseconds. */
  async p99(): Promise<number> {
    const ended = new Promise((done) => this.#child.once('close', done));
    this.#child.kill('SIGTERM');
    await ended;
    return Number(this.#text.trim().split('\n').at(-1));
  }
}

describe.skipIf(missing)(`a TPM that takes ${SLOW_MS} ms a command (${missing ?? 'swtpm behind a proxy'})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'slow-'));
  const file = join(folder, 'watched');
  const tpmd = new Tpmd({ env: { NODE_OPTIONS: `--import=${WATCH}`, WATCH_FILE: file } });
  let swtpm: Swtpm;
  let proxy: TpmProxy;

  beforeAll(async () => {
    swtpm = await Swtpm.start();
    proxy = await TpmProxy.start(swtpm.path);
    expect(await tpmd.start(`tcti = "${proxy.tcti}"\nmax_requests = 64`)).toBe('serves');
    expect(await tpmd.import(await tpmd.wrap(KEY))).toEqual({ status: 200, body: {} });
  });
  afterAll(async () => {
    await tpmd.dispose();
    await proxy?.close();
    await swtpm?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  /** How late the event loop of tpmd was since the last look, p99 in milliseconds. */
  async function loopP99(): Promise<number> {
    rmSync(file, { force: true });
    process.kill(tpmd.pid, 'SIGUSR2');
    while (!existsSync(file) || readFileSync(file, 'utf8') === '') await pause(5);
    return (JSON.parse(readFileSync(file, 'utf8')) as { p99: number }).p99;
  }

  it('holds up nobody: the event loop is late by less than 5 ms (p99), other requests are answered at once', async () => {
    proxy.play('any', { kind: 'delay', ms: SLOW_MS }, Number.POSITIVE_INFINITY);
    await loopP99();
    const idle = await IdleNode.start();
    let signing = true;
    const signed = Promise.all(Array.from({ length: CALLERS }, () => tpmd.sign(DATA))).finally(() => {
      signing = false;
    });
    const cheap: number[] = [];
    while (signing) {
      const begin = performance.now();
      expect((await tpmd.call('GET', '/nosuch')).status).toBe(404);
      cheap.push(performance.now() - begin);
      await pause(10);
    }
    const [own, machine] = [await loopP99(), await idle.p99()];
    for (const { body } of await signed) expect(body['digest']).toBe(hmac(KEY, DATA));
    // a machine that holds up an idle process holds up this one too
    expect(own, `an idle process: ${machine} ms`).toBeLessThan(Math.max(5, 2 * machine));
    expect(cheap.length).toBeGreaterThan(20);
    expect(cheap.toSorted((a, b) => a - b).at(Math.floor(cheap.length / 2))).toBeLessThan(SLOW_MS / 10);
  });

  it('a signature of a thousand quick commands lets other requests in between', async () => {
    const large = Buffer.alloc(1024 * 1024, 5);
    const direct = new Tpmd();
    try {
      expect(await direct.start(`tcti = "${swtpm.tcti}"`)).toBe('serves');
      let signing = true;
      const signed = direct.sign(large).finally(() => {
        signing = false;
      });
      let answered = 0;
      while (signing) {
        expect((await direct.call('GET', '/nosuch')).status).toBe(404);
        answered++;
      }
      expect((await signed).body['digest']).toBe(hmac(KEY, large));
      expect(answered).toBeGreaterThan(5);
    } finally {
      await direct.dispose();
    }
  });
});
