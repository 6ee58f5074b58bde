import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import {
  type Context,
  exchange,
  expectError,
  expectStatus,
  stringMember,
  type WireResult,
  type World,
} from '../runner/index.ts';
import { Swtpm, swtpmIsMissing } from './swtpm.ts';
import { TpmProxy } from './tpm-proxy.ts';
import { type KeyToWrap, type TpmKeys, wrapKey } from './wrapped-key.ts';

/** How long a line of the log may take. */
const LOGGED_WITHIN_MS = 5_000;
const VERSION = 'api-version=2020-09-01';
export const KEY = Buffer.from(Array.from({ length: 32 }, (_, at) => at));
export const SECOND_KEY = Buffer.from(Array.from({ length: 32 }, (_, at) => at + 32));
export const HELLO = Buffer.from('hello');
/** The handle of the auth key where the configuration says nothing. */
export const SLOT = 0x8100_0100;

export const hmac = (key: Uint8Array, data: Uint8Array): string =>
  createHmac('sha256', key).update(data).digest('base64');

/** A tpmd with a software TPM of its own, and a proxy between them. */
export class TpmWorld {
  readonly world: World;
  readonly swtpm: Swtpm;
  readonly proxy: TpmProxy;

  private constructor(world: World, swtpm: Swtpm, proxy: TpmProxy) {
    this.world = world;
    this.swtpm = swtpm;
    this.proxy = proxy;
  }

  /** Builds it in a world; tpmd is not started yet. */
  static async in(world: World, state?: Uint8Array): Promise<TpmWorld> {
    const swtpm = await Swtpm.start(state);
    const proxy = await TpmProxy.start(swtpm.path);
    world.onDispose(async () => {
      await proxy.close();
      await swtpm.dispose();
    });
    return new TpmWorld(world, swtpm, proxy);
  }

  /** A fresh one for a requirement, started; skips it where there is no swtpm. */
  static async fresh(context: Context, more = ''): Promise<TpmWorld> {
    const tpm = await TpmWorld.unstarted(context);
    await tpm.start(more);
    return tpm;
  }

  /** A fresh one that has a key; what it took is no part of the trace. */
  static async withKey(context: Context, wish: KeyToWrap = { key: KEY }): Promise<TpmWorld> {
    const tpm = await TpmWorld.fresh(context);
    await tpm.mustImport(wrapKey(await tpm.keys(), wish));
    tpm.proxy.takeTrace();
    return tpm;
  }

  static async unstarted(context: Context): Promise<TpmWorld> {
    const missing = swtpmIsMissing();
    if (missing !== undefined) context.skip(missing, 'tpm');
    return TpmWorld.in(await context.fresh());
  }

  get tcti(): string {
    return `tcti = "${this.proxy.tcti}"\n`;
  }

  async start(more = ''): Promise<void> {
    await this.world.configure('tpmd', { main: `${this.tcti}${more}` });
    await this.world.start('tpmd');
  }

  async restart(more = ''): Promise<void> {
    await this.world.stop('tpmd');
    await this.start(more);
  }

  /** Starts it with a configuration with which it has to end; gives its log. */
  async endsAtStart(main: string): Promise<string> {
    await this.world.configure('tpmd', { main });
    const { code, log } = await this.world.startExpectingExit('tpmd');
    assert.equal(code, 1, `exit code; its log:\n${log}`);
    return log;
  }

  /** Waits until the log says so: a line may come a moment after the answer that it is about. */
  async logged(pattern: RegExp): Promise<void> {
    await this.world.running('tpmd').logged(pattern, LOGGED_WITHIN_MS);
  }

  get log(): string {
    return this.world.running('tpmd').log;
  }

  ask(method: string, path: string, body?: unknown, uid = 0): Promise<WireResult> {
    const target = path.includes('?') ? path : `${path}?${VERSION}`;
    return exchange(
      this.world.socket('tpmd'),
      uid,
      { method, target, ...(body === undefined ? {} : { body }) },
      60_000,
    );
  }

  async keys(): Promise<TpmKeys> {
    const body = expectStatus(await this.ask('GET', '/get_tpm_keys'), 200);
    return {
      endorsementKey: Buffer.from(stringMember(body, 'endorsement_key'), 'base64'),
      storageRootKey: Buffer.from(stringMember(body, 'storage_root_key'), 'base64'),
    };
  }

  import(blob: Uint8Array): Promise<WireResult> {
    return this.ask('POST', '/import_auth_key', { key: Buffer.from(blob).toString('base64') });
  }

  /** Imports a key that has to be taken. */
  async mustImport(blob: Uint8Array): Promise<void> {
    assert.deepEqual(expectStatus(await this.import(blob), 200), {});
  }

  /** Imports a key that has to be refused, without a word on why, and with nothing left loaded. */
  async mustRefuse(blob: Uint8Array): Promise<void> {
    assert.equal(expectError(await this.import(blob), 500), 'internal error');
    await this.nothingLoaded();
  }

  sign(data: Uint8Array, uid = 0): Promise<WireResult> {
    return this.ask('POST', '/sign_with_auth_key', { data: Buffer.from(data).toString('base64') }, uid);
  }

  /** Asserts that tpmd signs with this key. */
  async signsWith(key: Uint8Array, data: Uint8Array = HELLO): Promise<void> {
    assert.equal(expectStatus(await this.sign(data), 200)['digest'], hmac(key, data), `HMAC of ${data.length} bytes`);
  }

  async nothingLoaded(): Promise<void> {
    assert.deepEqual(await this.swtpm.handles('transient'), [], 'transient objects');
    assert.deepEqual(await this.swtpm.handles('loaded-session'), [], 'loaded sessions');
  }

  async isPersistent(handle: number): Promise<boolean> {
    return (await this.swtpm.handles('persistent')).includes(handle);
  }
}
