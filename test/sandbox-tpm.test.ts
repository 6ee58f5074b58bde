import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { swtpmIsMissing } from '../conformance/tpm/index.ts';
import {
  clearKeyFiles,
  filesBelow,
  isRunning,
  runOnce,
  type SandboxDocument,
  startSandbox,
} from './sandbox-process.ts';

const missing =
  swtpmIsMissing() ??
  (existsSync('/usr/sbin/tpm2-abrmd') ? undefined : 'needs tpm2-abrmd, its TCTI and libtpm2-pkcs11-1');

let root: string;
let data: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tpm-'));
  data = join(root, 'data');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function expectDevice(story: SandboxDocument) {
  expect(story).toMatchObject({ deviceId: 'test-device-01', host: { moduleId: 'agent', sasAccepted: true } });
  for (const pid of Object.values(story.pid)) expect(isRunning(pid)).toBe(false);
}

const inDevice = () => ['keyd', 'certd', 'identityd', 'tpmd'].flatMap((name) => clearKeyFiles(join(data, name)));
const pairFiles = () => filesBelow(join(data, 'keyd/keys')).filter((path) => /\/(?:deviceid|estid)-/.test(path));

describe.skipIf(missing)(`a sandbox with a TPM (${missing ?? 'on swtpm'})`, () => {
  it('dps-tpm: the device proves itself by its TPM, and is the same at the next start, without a network too', async () => {
    const story = await runOnce(['--provisioning', 'dps-tpm', '--data-dir', data]);
    expectDevice(story);
    expect(story).toMatchObject({ attestation: 'tpm', keyLocation: 'tpm' });
    expect(Object.keys(story.sockets)).toEqual(['keyd', 'certd', 'identityd', 'tpmd']);
    expect(statSync(join(data, 'tpm')).mode & 0o077).toBe(0);
    const offline = await runOnce(['--data-dir', data, '--no-cloud']);
    const { hub, deviceId, modules } = story;
    expect(offline).toMatchObject({ hub, deviceId, modules, attestation: 'tpm', host: { sasAccepted: null } });
  });

  it('manual-x509 --token tpm: the private keys are of no use without that TPM', async () => {
    const story = await runOnce(['--provisioning', 'manual-x509', '--token', 'tpm', '--data-dir', data]);
    expectDevice(story);
    expect(story.keyLocation).toBe('pkcs11');
    expect(pairFiles()).toEqual([]);
    expect(inDevice()).toEqual([]);
    for (const file of filesBelow(join(data, 'tpm'))) rmSync(file);
    const { code, stderr } = await startSandbox(['--once', '--json', '--data-dir', data]).ended;
    expect(code).toBe(1);
    expect(stderr).not.toContain('token accepted');
  });

  it('dps-x509-est --token tpm: EST issues for a key in the TPM, DPS takes it', async () => {
    const story = await runOnce(['--provisioning', 'dps-x509-est', '--token', 'tpm', '--data-dir', data]);
    expectDevice(story);
    expect(story).toMatchObject({ attestation: 'x509', keyLocation: 'pkcs11' });
    expect(pairFiles()).toEqual([]);
    expect(inDevice()).toEqual([]);
  });

  it('dps-tpm --token tpm is refused: both want 0x81000001', async () => {
    const { code, stderr } = await startSandbox(['--once', '--json', '--provisioning', 'dps-tpm', '--token', 'tpm'])
      .ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/puts an EC key at 0x81000001, where DPS needs the RSA storage root key/);
  });

  it('another token than that of the data folder is refused', async () => {
    const args = ['--once', '--json', '--data-dir', data];
    await runOnce(['--provisioning', 'manual-sas', '--data-dir', data]);
    const { code, stderr } = await startSandbox([...args, '--token', 'tpm']).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/expected: a data folder with keys in tpm/);
  });
});
