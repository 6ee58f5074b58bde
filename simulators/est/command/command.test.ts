import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readCommandLine } from './options.ts';

const MAIN = resolve(import.meta.dirname, '../main.ts');
let folder: string;
const running: (() => Promise<void>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'est-command-'));
});
afterEach(async () => {
  for (const stop of running.splice(0)) await stop();
  rmSync(folder, { recursive: true });
});

interface Where {
  readonly url: string;
  readonly controlUrl: string;
  readonly rootPem: string;
}

/** Starts the command and gives what it prints first, or its exit code and what it said. */
async function start(
  ...args: string[]
): Promise<{ where?: Where; code?: number; stderr: string; stop: () => Promise<number> }> {
  const child = spawn(process.execPath, [MAIN, '--port', '0', '--control-port', '0', '--json', ...args]);
  const ended = new Promise<number>((done) => child.once('exit', (code) => done(code ?? -1)));
  const stop = async () => {
    child.kill('SIGTERM');
    return ended;
  };
  running.push(async () => {
    await stop();
  });
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const first = await Promise.race([
    new Promise<string>((done) => child.stdout.once('data', (chunk) => done(String(chunk)))),
    ended,
  ]);
  return typeof first === 'number' ? { code: first, stderr, stop } : { where: JSON.parse(first), stderr, stop };
}

describe('aziot-est-simulator', () => {
  it('serves, keeps its PKI in --data-dir, and ends with 0 at SIGTERM', async () => {
    const first = await start('--data-dir', folder, '--lifetime', '60');
    expect(first.where?.url).toMatch(/^https:\/\/localhost:\d+\/\.well-known\/est$/);
    const issued = await fetch(`${first.where?.controlUrl}/issue`, { method: 'POST', body: '{"commonName":"TEST x"}' });
    expect(issued.status).toBe(201);
    const root = readFileSync(join(folder, 'root.pem'), 'utf8');
    expect(await first.stop()).toBe(0);
    await start('--data-dir', folder);
    expect(readFileSync(join(folder, 'root.pem'), 'utf8')).toBe(root);
  });

  it('removes its temporary folder at the end', async () => {
    const { where, stop } = await start();
    expect(existsSync(where?.rootPem ?? '')).toBe(true);
    await stop();
    expect(existsSync(where?.rootPem ?? '')).toBe(false);
  });

  it.each([
    ['auth.require', ['--require', 'maybe']],
    ['quirks', ['--quirk', 'noSuchQuirk']],
    ['needs passwords and clientCas', ['--require', 'both', '--user', 'a:b']],
    ['ENOENT', ['--config', '/no/such/file']],
  ])('does not start, and says why: %s', async (why, args) => {
    const { code, stderr } = await start(...args);
    expect(code).toBe(1);
    expect(stderr).toContain(why);
  });

  it('takes profile, labels and quirks from a file', async () => {
    const config = join(folder, 'est.json');
    writeFileSync(
      config,
      JSON.stringify({ auth: { require: 'none' }, labels: { a: { ca: 'a' } }, quirks: { crls: true } }),
    );
    const { where } = await start('--config', config);
    const state = await (await fetch(`${where?.controlUrl}/state`)).json();
    expect(state).toMatchObject({ labels: ['a'], quirks: { crls: true } });
  });
});

describe('its command line', () => {
  it.each([
    ['--port', ['--port', '70000']],
    ['whole number', ['--lifetime', '1h']],
    ['NAME:PASSWORD', ['--user', 'x']],
    ['--nonsense', ['--nonsense']],
  ])('%s is told', (what, args) => {
    const line = readCommandLine(args);
    expect(line.kind === 'invalid' && line.message).toContain(what);
  });

  it('quirks may have values', () => {
    const line = readCommandLine(['--quirk', 'created', '--quirk', 'body=pem', '--quirk', 'status=418']);
    expect(line.kind === 'run' && line.command.quirks).toEqual({ created: true, body: 'pem', status: 418 });
  });
});
