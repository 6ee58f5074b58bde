import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { filesBelow, runOnce, startSandbox } from './sandbox-process.ts';

let root: string;
let data: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'kept-'));
  data = join(root, 'data');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

describe('a data folder', () => {
  it.each(['dps-x509-est', 'manual-sas'])(
    '%s: the next start finds the same device, with and without the cloud',
    async (way) => {
      const first = await runOnce(['--provisioning', way, '--data-dir', data]);
      const { hub, deviceId, attestation, keyLocation, modules, certificate } = first;
      const kept = { hub, deviceId, attestation, keyLocation, modules };

      const second = await runOnce(['--data-dir', data]);
      expect(second).toMatchObject({ ...kept, host: { moduleId: 'agent', sasAccepted: true } });
      expect(second.certificate).toEqual(certificate);

      const offline = await runOnce(['--data-dir', data, '--no-cloud']);
      expect(offline).toMatchObject({ ...kept, host: { moduleId: 'agent', sasAccepted: null } });
      expect(offline.certificate).toEqual(certificate);
      expect(offline.timingsMs).not.toHaveProperty('cloud');
    },
  );

  it('stays with its way, and is closed to others', async () => {
    await runOnce(['--provisioning', 'dps-symmetric', '--data-dir', data]);
    for (const folder of ['keyd', 'certd', 'identityd', 'cloud']) {
      expect(statSync(join(data, folder)).mode & 0o077, folder).toBe(0);
    }
    for (const file of ['keyd/config.toml', 'cloud/sandbox.json']) {
      expect(statSync(join(data, file)).mode & 0o077, file).toBe(0);
    }
    const args = ['--once', '--json', '--data-dir', data, '--provisioning', 'manual-sas'];
    const { code, stderr, stdout } = await startSandbox(args).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/expected: a data folder of manual-sas\s+came: +one of dps-symmetric/);
  });

  it('is needed, with a device in it, for a start without the cloud', async () => {
    const { code, stderr } = await startSandbox(['--once', '--json', '--data-dir', data, '--no-cloud']).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/to do: +start once without --no-cloud/);
  });

  it('without SoftHSM has its keys in files, and says so', async () => {
    // a machine with no more than the shell's own commands
    const bin = join(root, 'bin');
    mkdirSync(bin);
    for (const name of ['basename', 'dirname', 'readlink', 'sh']) symlinkSync(`/usr/bin/${name}`, join(bin, name));
    const args = ['--once', '--json', '--data-dir', data, '--provisioning', 'dps-symmetric'];
    const { code, stdout, stderr } = await startSandbox(args, { PATH: bin }).ended;
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /private keys go to files: (?:SoftHSM|pkcs11-tool) is not installed; for a token: sudo apt-get/,
    );
    expect(JSON.parse(stdout)).toMatchObject({ keyLocation: 'file', host: { sasAccepted: true } });
    expect(filesBelow(join(data, 'keyd/keys')).length).toBeGreaterThan(1);
  });

  it('whose sockets would have too long a path has them in a short folder, which goes at the end', async () => {
    const long = join(root, 'x'.repeat(110));
    const story = await runOnce(['--provisioning', 'dps-symmetric', '--data-dir', long]);
    expect(story.sockets.identityd.length).toBeLessThanOrEqual(107);
    expect(story.host.sasAccepted).toBe(true);
    expect(readdirSync(long)).not.toContain('run');
    expect(() => statSync(join(story.sockets.identityd, '..'))).toThrow(/ENOENT/);
  });
});
