import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, Device, KEYD_V } from '../support/device.ts';

/** One call of the file system by keyd, as the shim saw it. */
export interface WriteEvent {
  readonly when: 'before' | 'after';
  readonly what: string;
  readonly path: string;
}

/** A keyd on files that can be ended before or after any of its writes. */
export class KilledKeyd {
  readonly #device = new Device();
  readonly #arm = this.#device.path('arm');
  readonly #log = this.#device.path('events');
  #round = 0;

  constructor() {
    const shim = this.#device.path('kill_at_write.so');
    const source = join(import.meta.dirname, 'kill_at_write.c');
    execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', shim, source, '-ldl']);
    // libuv must not go to the kernel by a ring, past the functions of the C library
    Object.assign(this.#device.env, {
      LD_PRELOAD: shim,
      UV_USE_IO_URING: '0',
      KILL_BELOW: this.folder,
      KILL_ARM: this.#arm,
      KILL_LOG: this.#log,
    });
    this.#device.configure(
      'keyd',
      `[aziot_keys]\nhomedir_path = "${this.folder}/home"\n[preloaded_keys]\npreloaded = "file://${this.folder}/operator/key"`,
    );
  }

  /** Everything that keyd writes is below this folder: its home folder, and that of the operator's key. */
  get folder(): string {
    return this.#device.path('store');
  }

  /** A key id of this round, so that one keyd serves many rounds. */
  id(name: string): string {
    return `${name}-${this.#round}`;
  }

  nextRound(): void {
    this.#round += 1;
  }

  /** Starts keyd anew on an empty folder. */
  async startEmpty(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
    mkdirSync(join(this.folder, 'home'), { recursive: true, mode: 0o700 });
    mkdirSync(join(this.folder, 'operator'));
    await this.start();
  }

  /** Starts keyd; it lives until {@link endAt} is armed. */
  async start(): Promise<void> {
    rmSync(this.#arm, { force: true });
    rmSync(this.#log, { force: true });
    await this.#device.start('keyd');
  }

  /** From now on keyd ends at that event: 0 is before its first write, 1 after it, and so on. */
  endAt(event: number): void {
    writeFileSync(`${this.#arm}.new`, String(event));
    execFileSync('mv', [`${this.#arm}.new`, this.#arm]);
  }

  async kill(): Promise<void> {
    await this.#device.stop('keyd', 'SIGKILL');
  }

  get alive(): boolean {
    return this.#device.alive('keyd');
  }

  /** What keyd has written since it was armed. */
  events(): WriteEvent[] {
    if (!existsSync(this.#log)) return [];
    const lines = readFileSync(this.#log, 'utf8').trim().split('\n');
    return lines.map((line) => {
      const [when = '', what = '', ...path] = line.split(' ');
      return { when: when === 'before' ? 'before' : 'after', what, path: path.join(' ') };
    });
  }

  /** Asks keyd; undefined when it ended instead of answering. */
  async ask(method: string, path: string, body?: unknown): Promise<Answer | undefined> {
    try {
      return await this.#device.call('keyd', method, `${path}?${KEYD_V}`, body);
    } catch (error) {
      if (this.alive) await this.#device.stop('keyd', 'SIGKILL');
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return undefined;
    }
  }

  /** Path of the file of a key (keys-service.md 6.1). */
  keyFile(keyId: string): string {
    const digest = createHash('sha256').update(keyId, 'utf8').digest('hex');
    return join(this.folder, 'home/keys', `${keyId.replace(/[^A-Za-z0-9]/g, '')}-${digest}.key`);
  }

  /** Names of all files that are no key, no list of ids and nothing that was put aside. */
  strayFiles(): string[] {
    const files = readdirSync(this.folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return files.map(({ name }) => name).filter((name) => !/\.key$|^key$|^key\.deleted-|^key-ids\.jsonl$/.test(name));
  }

  close(): Promise<void> {
    return this.#device.close();
  }
}
