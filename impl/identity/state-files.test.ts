import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../process/index.ts';
import type { Device } from './device.ts';
import type { Settings } from './settings.ts';
import { openStateFiles, provisioningDigest } from './state-files.ts';
import { DPS } from './testing/world.ts';

let home: string;
let logged: string[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'aziot-state-'));
  logged = [];
});
afterEach(() => rm(home, { recursive: true }));

const log = createLogger({ target: 't', filter: 'info', write: (line) => logged.push(line), now: () => 0 });
const open = () => openStateFiles(home, log);
const device: Device = {
  hubName: 'hub',
  gatewayHost: 'hub',
  deviceId: 'one',
  credential: { kind: 'tpm' },
  enrolment: provisioningDigest(DPS),
};
const settings = (...names: string[]): Settings => ({
  hostname: 'h',
  homedir: home,
  preferModuleCache: false,
  maxRequests: 10,
  cloudTimeoutSec: 70,
  cloudRetries: 1,
  provisioning: DPS,
  principals: names.map((name, uid) => ({ uid, name, idTypes: ['module'], localPurpose: undefined })),
  localIdDomain: undefined,
});
const put = (name: string, text: string) => writeFile(join(home, name), text);

describe('state files', () => {
  it('what a completed reconciliation wrote is read back for the same device only', async () => {
    await (await open()).writeDone(device, settings('a', 'b'));
    const state = await open();
    expect(await state.readBackup(DPS)).toEqual({ hubName: 'hub', gatewayHost: 'hub', deviceId: 'one' });
    expect(await state.readManaged(device)).toEqual(['a', 'b']);
    expect(await state.readManaged({ ...device, deviceId: 'two' })).toEqual([]);
    expect((await readdir(home)).sort()).toEqual(['device_info', 'prev_state', 'provisioning_digest']);
  });

  it('writes nothing where nothing has changed', async () => {
    const state = await open();
    await state.writeDone(device, settings('a'));
    const before = await stat(join(home, 'prev_state'));
    await state.writeDone(device, settings('a'));
    expect((await stat(join(home, 'prev_state'))).ino).toBe(before.ino);
  });

  it('a cut between the files does not mix the modules of two devices', async () => {
    const state = await open();
    await state.writeDone(device, settings('of-the-old-device'));
    await state.writeProgress({ ...device, deviceId: 'two' }, []);
    await put('device_info', 'hub_name = "hub"\nlocal_gateway_hostname = "hub"\ndevice_id = "two"\n');
    expect(await (await open()).readManaged({ ...device, deviceId: 'two' })).toEqual([]);
  });

  it('a backup of another enrolment does not count; one without a digest does', async () => {
    if (DPS.source !== 'dps') throw new Error('fixture');
    const state = await open();
    await state.writeDone(device, settings());
    expect(await state.readBackup({ ...DPS, scopeId: 'other' })).toBeUndefined();
    await rm(join(home, 'provisioning_digest'));
    expect(await state.readBackup({ ...DPS, scopeId: 'other' })).toBeDefined();
  });

  it('IS-051: what cannot be read is warned about and treated as none', async () => {
    await put('device_info', 'hub_name = 5');
    await put('prev_state', 'garbage');
    await put('reconciliation_progress', '{');
    const state = await open();
    expect(await state.readManaged(device)).toEqual([]);
    expect(await state.readBackup(DPS)).toBeUndefined();
    expect(await readdir(home)).not.toContain('device_info');
    expect(logged.join('')).toContain('Ignoring invalid device info backup');
  });
});
