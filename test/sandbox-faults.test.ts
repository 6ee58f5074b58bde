import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isRunning, type SandboxDocument, startSandbox, whenTold } from './sandbox-process.ts';

let root: string;
let data: string;
/** A folder for temporary files of the sandbox alone, so that what it leaves behind is seen. */
let temporary: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'f-'));
  data = join(root, 'data');
  temporary = join(root, 'tmp');
  mkdirSync(temporary, { mode: 0o755 });
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const once = (...args: string[]) => startSandbox(['--once', '--json', ...args], { TMPDIR: temporary }).ended;

describe('a step that fails', () => {
  it('EST that refuses the bootstrap certificate: names the step, the cause and the remedy', async () => {
    const cloud = join(data, 'cloud');
    mkdirSync(cloud, { recursive: true });
    const out = ['-keyout', join(cloud, 'est-bootstrap-id.key.pem'), '-out', join(cloud, 'est-bootstrap-id.pem')];
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...key, ...out, '-subj', '/CN=TEST stranger'], { stdio: 'ignore' });

    const { code, stdout, stderr } = await once('--provisioning', 'dps-x509-est', '--data-dir', data);

    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toContain('step "provisioning" failed');
    expect(stderr).toMatch(/expected: identityd gets a device identity by dps-x509-est/);
    expect(stderr).toMatch(/came: +identityd answered 400 /);
    expect(stderr).toMatch(/to do: .*est-bootstrap-id\.pem only if its own maker issued it/);
    expect(stderr).toMatch(/last lines of certd:[\s\S]*EST server answered 403 to simpleenroll/);
  });

  it('a daemon that does not start: names it, with its last lines', async () => {
    const aziotd = join(root, 'aziotd');
    writeFileSync(aziotd, '#!/bin/sh\necho "<3>the cause of it all" >&2\nexit 1\n', { mode: 0o755 });
    const env = { TMPDIR: temporary, AZIOT_SANDBOX_AZIOTD: aziotd };
    const { code, stderr } = await startSandbox(['--once', '--json'], env).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/step "keyd" failed\s+expected: keyd starts and listens on .*keyd\.sock/);
    expect(stderr).toMatch(/came: +keyd ended with exit code 1/);
    expect(stderr).toMatch(/last lines of keyd:\n +<3>the cause of it all/);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('a port of the data folder that somebody else has: the cloud says so', async () => {
    const first = startSandbox(['--json', '--provisioning', 'manual-sas', '--data-dir', data]);
    await whenTold(first);
    const copy = join(root, 'copy');
    cpSync(data, copy, { recursive: true, filter: (path) => !path.includes('/run') });
    const { code, stderr } = await once('--data-dir', copy);
    first.child.kill('SIGTERM');
    await first.ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(/step "cloud" failed[\s\S]*EADDRINUSE[\s\S]*see that nothing else listens there/);
  });

  it('a wrong command line: exit code 2 and the reason', async () => {
    const { code, stderr } = await once('--provisioning', 'dps-magic');
    expect(code).toBe(2);
    expect(stderr).toMatch(/no way of provisioning is called "dps-magic"/);
  });
});

describe('npm start', () => {
  const npm = (...args: string[]) => {
    const child = spawn('npm', args, {
      cwd: resolve(import.meta.dirname, '..'),
      env: { ...process.env, TMPDIR: temporary },
    });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const ended = new Promise<number | null>((done) => child.once('close', (code) => done(code)));
    return { child, ended, stdout: () => stdout };
  };

  it('prints the document alone on standard output', async () => {
    const { ended, stdout } = npm('start', '--', '--once', '--json', '--provisioning', 'manual-sas');
    expect(await ended).toBe(0);
    expect(JSON.parse(stdout())).toMatchObject({ attestation: 'sas', host: { sasAccepted: true } });
  });

  it('hands a stop signal on, and leaves nothing behind', async () => {
    const { child, ended, stdout } = npm('start', '--', '--json', '--provisioning', 'manual-sas');
    while (!stdout().trimEnd().endsWith('}')) await new Promise((resolve) => setTimeout(resolve, 20));
    const pids = Object.values((JSON.parse(stdout()) as SandboxDocument).pid);
    child.kill('SIGTERM');
    await ended;
    // npm ends at the signal, and does not wait for what it started
    await expect.poll(() => pids.filter(isRunning), { timeout: 10_000 }).toEqual([]);
    const ours = () => readdirSync(temporary).filter((name) => name.startsWith('aziot'));
    await expect.poll(ours, { timeout: 10_000 }).toEqual([]);
  });

  it('spends less than two seconds on a set-up with nothing to do, and says nothing of it', () => {
    const setUp = resolve(import.meta.dirname, '../scripts/setup.mjs');
    const begun = performance.now();
    const { status, stdout, stderr } = spawnSync(process.execPath, [setUp], { encoding: 'utf8' });
    expect(performance.now() - begun).toBeLessThan(2_000);
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    // somebody other than root may be told of missing system packages, in one line
    expect(stderr).toMatch(/^(?:set-up: .*sudo apt-get install.*\n)?$/);
  });
});

describe('a sandbox that is stopped', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('%s after the story: no process, no folder, exit code 0', async (signal) => {
    const sandbox = startSandbox(['--json', '--provisioning', 'dps-symmetric'], { TMPDIR: temporary });
    const story = await whenTold(sandbox);
    const pids = Object.values(story.pid);
    expect(pids.map(isRunning)).toEqual([true, true, true]);
    sandbox.child.kill(signal);
    expect((await sandbox.ended).code).toBe(0);
    expect(pids.map(isRunning)).toEqual([false, false, false]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('in the middle of the story: no process, no folder, 128 + the number of the signal', async () => {
    const sandbox = startSandbox(['--provisioning', 'dps-symmetric'], { TMPDIR: temporary });
    while (!sandbox.stderr().includes('certd')) await new Promise((resolve) => setTimeout(resolve, 10));
    const pids = [...sandbox.stderr().matchAll(/process (\d+)/g)].map(([, pid]) => Number(pid));
    sandbox.child.kill('SIGTERM');
    const { code, stdout } = await sandbox.ended;
    expect({ code, stdout }).toEqual({ code: 143, stdout: '' });
    expect(pids.length).toBeGreaterThan(0);
    expect(pids.filter(isRunning)).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('tells a person what it did, without colours where there is no terminal', async () => {
    const sandbox = startSandbox(['--once', '--provisioning', 'dps-symmetric'], { TMPDIR: temporary });
    const { code, stdout, stderr } = await sandbox.ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/device +test-device-01 at localhost:\d+/);
    expect(stdout).toMatch(/host process +agent, as /);
    expect(stderr).toMatch(/✓ provisioning/);
    expect(stdout + stderr).not.toContain('\u001b');
  });
});
