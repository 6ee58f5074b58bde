import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTpm, tpmMissing } from '../conformance/keys/index.ts';
import { launchFromEnv, World } from '../conformance/runner/index.ts';
import { hmac, Tpmd } from './support/tpmd.ts';

const missing = tpmMissing();
const KEY = Buffer.alloc(32, 9);
const HELLO = Buffer.from('hello');
const LARGE = Buffer.alloc(1024 * 1024, 1);

describe.skipIf(missing)(`tpmd behind a resource manager (${missing ?? 'tpm2-abrmd, its TCTI tabrmd'})`, () => {
  let world: World;
  let tpmd: Tpmd;
  let config: string;

  beforeAll(async () => {
    world = await World.create(launchFromEnv());
    await startTpm(world);
    config = `tcti = "${world.env['TPM2_PKCS11_TCTI']}"`;
    tpmd = new Tpmd({ env: world.env });
    expect(await tpmd.start(config), tpmd.log).toBe('serves');
  });
  afterAll(async () => {
    await tpmd?.dispose();
    await world?.dispose();
  });

  /** What is loaded in the TPM itself, whoever loaded it. */
  async function loaded(): Promise<string> {
    const env = { ...process.env, TPM2TOOLS_TCTI: `swtpm:path=${world.path('swtpm.sock')}` };
    const shown = ['handles-transient', 'handles-loaded-session'].map((kind) =>
      promisify(execFile)('tpm2_getcap', [kind], { env }),
    );
    return (await Promise.all(shown)).map(({ stdout }) => stdout).join('');
  }

  it('imports, signs, and is found again after a restart', async () => {
    expect(await tpmd.import(await tpmd.wrap(KEY))).toEqual({ status: 200, body: {} });
    for (const data of [HELLO, Buffer.alloc(3000)])
      expect((await tpmd.sign(data)).body['digest']).toBe(hmac(KEY, data));
    expect(await tpmd.restart(config)).toBe('serves');
    expect((await tpmd.sign(HELLO)).body['digest']).toBe(hmac(KEY, HELLO));
    expect(await loaded()).toBe('');
  });

  it('killed in the middle of a signature it leaves nothing loaded', async () => {
    const cut = tpmd.sign(LARGE).catch(() => 'cut off');
    while (!tpmd.log.includes('<-- POST /sign_with_auth_key')) await new Promise((turn) => setImmediate(turn));
    await tpmd.kill();
    expect(await cut).toBe('cut off');
    expect(await tpmd.restart(config)).toBe('serves');
    expect((await tpmd.sign(HELLO)).body['digest']).toBe(hmac(KEY, HELLO));
    await expect.poll(loaded, { timeout: 10_000 }).toBe('');
  });
});
