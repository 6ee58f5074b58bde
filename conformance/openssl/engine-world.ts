import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { Caller, type Store } from '../keys/index.ts';
import { type Context, expectStatus, type SharedWorld, stringMember, type World } from '../runner/index.ts';
import { installEngine } from './engine-file.ts';
import { Recorder } from './recorder.ts';

const ENGINE = ['-engine', 'aziot_keys'] as const;

/** How a program ended. */
export interface Ended {
  /** Exit code, or the signal that ended it. */
  readonly exit: number | string;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** The longest that a program may take; what is still there then has hung. */
const LIMIT_MS = 45_000;
/** Engines that know this variable give up after so long. */
const ENGINE_TIMEOUT = { AZIOT_KEYD_TIMEOUT_MS: '10000' };

/** A keyd process, the engine under test, a recorder between them, and a folder where programs run. */
export class EngineWorld {
  readonly world: World;
  readonly recorder: Recorder;
  readonly keyd: Caller;
  readonly #handles = new Map<string, string>();

  private constructor(world: World, recorder: Recorder) {
    this.world = world;
    this.recorder = recorder;
    this.keyd = new Caller(world);
  }

  /** Builds it in a world, keyd's dynamic keys in the store; `lines` are more of its configuration. */
  static async in(context: Context, world: World, store: Store, lines = ''): Promise<EngineWorld> {
    await installEngine(context, world);
    const main = `[aziot_keys]\nhomedir_path = "@ROOT@/keyd/home"\n${await store.prepare(world)}\n${lines}`;
    await world.configure('keyd', { main });
    await world.start('keyd');
    await writeFile(world.path('data'), 'data to be signed\n');
    await writeFile(world.path('digest'), Buffer.alloc(32, 7));
    const recorder = await Recorder.start(world.path('run', 'engine.sock'), world.socket('keyd'));
    world.onDispose(() => recorder.close());
    return new EngineWorld(world, recorder);
  }

  /** Makes a key pair and keeps its handle by the name. */
  async makePair(name: string, algorithm: string): Promise<void> {
    this.#handles.set(name, await this.keyd.pair(name, algorithm));
  }

  async deletePair(name: string): Promise<void> {
    expectStatus(await this.keyd.delete('/keypair', { keyHandle: this.handle(name) }), 204);
  }

  /** Keeps the handle of a pair that is preloaded. */
  async loadPair(name: string): Promise<void> {
    const answer = expectStatus(await this.keyd.get(`/keypair/${name}`), 200);
    this.#handles.set(name, stringMember(answer, 'keyHandle'));
  }

  async makeKey(name: string): Promise<void> {
    this.#handles.set(name, await this.keyd.key(name));
  }

  handle(name: string): string {
    const handle = this.#handles.get(name);
    if (handle === undefined) throw new Error(`no key is called ${name}`);
    return handle;
  }

  path(name: string): string {
    return this.world.path(name);
  }

  text(name: string): Promise<string> {
    return readFile(this.path(name), 'utf8');
  }

  /** Where programs find the engine and keyd; `direct`: not through the recorder. */
  env(way: 'recorded' | 'direct' = 'recorded'): Record<string, string> {
    const socket = way === 'direct' ? this.world.socket('keyd') : this.recorder.path;
    return { ...ENGINE_TIMEOUT, OPENSSL_ENGINES: this.path('engines'), AZIOT_KEYD_SOCKET: socket };
  }

  /** Runs a program in the world's folder to its end. */
  run(
    [program = '', ...args]: readonly string[],
    options: { readonly env?: Record<string, string>; readonly input?: string } = {},
  ): Promise<Ended> {
    const env = { ...process.env, ...this.env(), ...options.env };
    const started = performance.now();
    return new Promise((done) => {
      const settings = { cwd: this.world.root, env, timeout: LIMIT_MS, killSignal: 'SIGKILL' } as const;
      const child = execFile(program, args, settings, (error, stdout, stderr) => {
        const exit = error === null ? 0 : (error.code ?? error.signal ?? 'unknown');
        done({ exit, stdout, stderr, ms: performance.now() - started });
      });
      child.stdin?.on('error', () => undefined).end(options.input ?? '');
    });
  }

  /** Runs a program that has to succeed; gives what it printed. */
  async must(command: readonly string[], input?: string): Promise<string> {
    const ended = await this.run(command, input === undefined ? {} : { input });
    assert.equal(ended.exit, 0, `${command.slice(0, 3).join(' ')} ended with ${ended.exit}: ${ended.stderr}`);
    return ended.stdout + ended.stderr;
  }

  /** Loads a private key (or with `-pubin` a public one) by `openssl pkey`. */
  load(identifier: string, more: readonly string[] = ['-noout'], env: Record<string, string> = {}): Promise<Ended> {
    return this.run(['openssl', 'pkey', ...ENGINE, '-inform', 'engine', '-in', identifier, ...more], { env });
  }

  /** Signs `data` into `signature` by `openssl dgst`. */
  sign(name: string, options: readonly string[] = ['-sha256']): Promise<Ended> {
    const key = [...ENGINE, '-keyform', 'engine', '-sign', this.handle(name)];
    return this.run(['openssl', 'dgst', ...options, ...key, '-out', 'signature', 'data']);
  }

  /** Asserts that `signature` is that of `data` by the key, with the public key as keyd tells it and no engine. */
  async verifies(name: string, options: readonly string[] = ['-sha256']): Promise<void> {
    const publicKey = await this.load(this.handle(name), ['-pubout', '-out', `${name}.pub`]);
    assert.equal(publicKey.exit, 0, publicKey.stderr);
    const signed = ['-signature', 'signature', 'data'];
    await this.must(['openssl', 'dgst', ...options, '-verify', `${name}.pub`, ...signed]);
  }

  /** Fetches the page of a server by curl, with the certificate and key of that name; it has to be 200. */
  async curl(port: number, name: string): Promise<void> {
    const key = ['--engine', 'aziot_keys', '--key-type', 'ENG', '--key', this.handle(name), '--cert', `${name}.pem`];
    const what = ['--cacert', 'ca.pem', '-o', 'page', '-w', '%{http_code}', `https://127.0.0.1:${port}/`];
    const ended = await this.run(['curl', '-sS', ...key, ...what]);
    assert.equal(ended.exit, 0, `curl ended with ${ended.exit}: ${ended.stderr}`);
    assert.equal(ended.stdout, '200');
  }

  /** The requests since the last time that do not belong to the load of a key. */
  operations(): readonly { readonly path: string; readonly body: Readonly<Record<string, unknown>> }[] {
    const used = this.recorder.take().requests.filter(({ path }) => !path.startsWith('/parameters/'));
    return used.map(({ path, body }) => ({ path, body: JSON.parse(body) as Record<string, unknown> }));
  }
}

/** Arguments of the openssl command line for a private key of the engine. */
export function engineKey(option: '-key' | '-inkey' | '-CAkey', handle: string): string[] {
  const form = option === '-CAkey' ? '-CAkeyform' : '-keyform';
  return [...ENGINE, form, 'engine', option, handle];
}

const worlds = new WeakMap<World, EngineWorld>();

/** The world of a shared one, in the state of its beginning: nothing recorded, nothing disturbed. */
export async function sharedEngineWorld(context: Context, name: string, build: (world: World) => Promise<EngineWorld>) {
  const shared: SharedWorld = { name, build: async (world) => void worlds.set(world, await build(world)) };
  const found = worlds.get(await context.shared(shared));
  if (!found) throw new Error(`the world ${name} was not built`);
  found.recorder.play();
  found.recorder.take();
  return found;
}

/** Asserts that a program failed by itself (no signal, no hang), with an entry of OpenSSL's error queue that holds the text. */
export function expectFailure(ended: Ended, text: string | RegExp = ''): void {
  assert.equal(typeof ended.exit, 'number', `ended by ${ended.exit} after ${Math.round(ended.ms)} ms`);
  assert.notEqual(ended.exit, 0, 'it succeeded');
  assert.match(ended.stderr, /error:|:error/, 'nothing is on the error queue');
  const found = typeof text === 'string' ? ended.stderr.includes(text) : text.test(ended.stderr);
  assert.ok(found, `${text} is not in: ${ended.stderr}`);
}
