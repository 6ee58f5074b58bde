import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Swtpm, swtpmIsMissing } from '../conformance/tpm/index.ts';
import { hmac, Tpmd } from './support/tpmd.ts';

const missing = swtpmIsMissing();
const KEY = Buffer.alloc(32, 3);

describe.skipIf(missing)(`tpmd without the libraries of the TSS (${missing ?? 'on swtpm'})`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'no-tss-'));
  // the linker takes the first file of the name, which is no library
  for (const name of ['libtss2-tctildr.so.0', 'libtss2-rc.so.0']) writeFileSync(join(folder, name), 'none');
  const tpmd = new Tpmd({ env: { LD_LIBRARY_PATH: folder } });
  let swtpm: Swtpm;
  beforeAll(async () => {
    swtpm = await Swtpm.start();
  });
  afterAll(async () => {
    await tpmd.dispose();
    await swtpm?.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  it('swtpm: imports, signs, and outlives a restart of the TPM', async () => {
    expect(await tpmd.start(`tcti = "${swtpm.tcti}"`), tpmd.log).toBe('serves');
    expect(await tpmd.import(await tpmd.wrap(KEY))).toEqual({ status: 200, body: {} });
    const data = Buffer.alloc(3000, 1);
    expect((await tpmd.sign(data)).body['digest']).toBe(hmac(KEY, data));
    for (let time = 0; time < 5; time++) {
      await swtpm.powerOff();
      expect((await tpmd.sign(data)).status).toBe(500);
      await swtpm.powerOn();
      expect((await tpmd.sign(data)).body['digest'], tpmd.log).toBe(hmac(KEY, data));
    }
    expect(await swtpm.handles('transient')).toEqual([]);
  });

  it('tabrmd: exit 1, and what to install', async () => {
    expect(await tpmd.restart('tcti = "tabrmd"')).toBe(1);
    await expect.poll(() => tpmd.log).toMatch(/could not initialize TPM[\s\S]*install libtss2-tctildr0/);
  });
});
