import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { leftOutOnPurpose } from '../runner/index.ts';

const run = promisify(execFile);
const READY_WITHIN_MS = 10_000;

/** What keeps swtpm or tpm2-tools from running here; undefined: nothing. */
export function swtpmIsMissing(): string | undefined {
  const leftOut = leftOutOnPurpose('tpm');
  if (leftOut !== undefined) return leftOut;
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  const missing = ['swtpm', 'tpm2_getcap'].filter((tool) => !folders.some((folder) => existsSync(join(folder, tool))));
  return missing.length === 0 ? undefined : `needs ${missing.join(' and ')} (Debian: swtpm, tpm2-tools)`;
}

function accepts(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}

/** A software TPM as a process, with its state in a folder of its own; it can be killed and started again on that state. */
export class Swtpm {
  readonly folder: string;
  #process: ChildProcess | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** @param state a saved state (`tpm2-00.permall`); absent: a TPM fresh from the factory */
  static async start(state?: Uint8Array): Promise<Swtpm> {
    const folder = await mkdtemp(join(tmpdir(), 'swtpm-'));
    if (state) await writeFile(join(folder, 'tpm2-00.permall'), state);
    const swtpm = new Swtpm(folder);
    await swtpm.powerOn();
    return swtpm;
  }

  /** The Unix socket that takes TPM commands. */
  get path(): string {
    return join(this.folder, 'sock');
  }

  get tcti(): string {
    return `swtpm:path=${this.path}`;
  }

  async powerOn(): Promise<void> {
    const args = [
      ...['socket', '--tpm2', '--tpmstate', `dir=${this.folder}`],
      ...['--server', `type=unixio,path=${this.path}`, '--ctrl', `type=unixio,path=${this.path}.ctrl`],
      ...['--flags', 'not-need-init,startup-clear'],
    ];
    const child = spawn('swtpm', args, { stdio: 'ignore' });
    this.#process = child;
    const until = performance.now() + READY_WITHIN_MS;
    while (!(await accepts(this.path))) {
      if (child.exitCode !== null || performance.now() > until) throw new Error('swtpm did not start');
      await pause(10);
    }
  }

  /** Takes the power away at once; its sockets go too. */
  async powerOff(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    await Promise.all(['', '.ctrl'].map((end) => rm(`${this.path}${end}`, { force: true })));
  }

  async reboot(): Promise<void> {
    await this.powerOff();
    await this.powerOn();
  }

  /** Runs one of tpm2-tools on it, in its folder; gives its standard output. */
  async tool(name: string, ...args: string[]): Promise<string> {
    const { stdout } = await run(name, args, { cwd: this.folder, env: { ...process.env, TPM2TOOLS_TCTI: this.tcti } });
    return stdout;
  }

  /** The handles of a kind that the TPM has now, as numbers. */
  async handles(kind: 'transient' | 'loaded-session' | 'saved-session' | 'persistent'): Promise<number[]> {
    const text = await this.tool('tpm2_getcap', `handles-${kind}`);
    return [...text.matchAll(/0x([0-9A-Fa-f]+)/g)].map(([, hex]) => Number.parseInt(hex ?? '', 16));
  }

  async dispose(): Promise<void> {
    await this.powerOff();
    await rm(this.folder, { recursive: true, force: true });
  }
}
