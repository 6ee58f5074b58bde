import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { IS_ROOT, type RunningSandbox, startSandbox, whenTold } from './sandbox-process.ts';
import { docBlocks } from './support/doc-blocks.ts';

const AGENT = 65531;
const STRANGER = 65532;
const TREE = resolve(import.meta.dirname, '..');
const PAGE = readFileSync(join(TREE, 'docs/host-process.md'), 'utf8');
const ENGINE = join(TREE, 'impl/openssl/build/aziot_keys.so');
/** The system's programs: those below another user's home are closed to the agent. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

describe.each(['manual-x509', 'dps-x509-est'])('X.509 in docs/host-process.md, on %s', (way) => {
  let folder: string;
  let sandbox: RunningSandbox | undefined;

  /** A command of the page with the folders and the user of this run. */
  const here = (commands: string) =>
    commands
      .replaceAll('/srv/aziot', join(folder, 'data'))
      .replaceAll('/srv/engines', join(folder, 'engines'))
      .replaceAll('$(id -u device-agent)', String(AGENT));

  function as(uid: number, command: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
    return spawnSync('setpriv', [...user, ...command], { encoding: 'utf8', cwd: '/', env: { PATH, ...env } });
  }

  beforeAll(async () => {
    if (!IS_ROOT) return;
    folder = mkdtempSync(join(tmpdir(), 'host-'));
    chmodSync(folder, 0o755);
    for (const name of ['x509-agent.py', 'x509-agent.ts'])
      copyFileSync(join(TREE, 'docs/examples', name), join(folder, name));
    mkdirSync(join(folder, 'engines'));
    copyFileSync(ENGINE, join(folder, 'engines/aziot_keys.so'));
    const [start = ''] = docBlocks(PAGE, 'operator');
    const args = here(start.trim().replace(/^npm start -- /, '')).replace('manual-x509', way);
    sandbox = startSandbox([...args.split(' '), '--json']);
    await whenTold(sandbox);
    const [allow = ''] = docBlocks(PAGE, 'root');
    expect(spawnSync('sh', ['-euc', here(allow)], { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    const asked = ['curl', '-s', '-o', '/dev/null', '-w', '%{http_code}', '--unix-socket'];
    const identity = [join(folder, 'data/run/identityd.sock'), 'http://i/identities/identity?api-version=2020-09-01'];
    await vi.waitFor(() => expect(as(AGENT, [...asked, ...identity]).stdout).toBe('200'), {
      timeout: 30_000,
      interval: 250,
    });
  }, 120_000);

  afterAll(async () => {
    sandbox?.child.kill('SIGTERM');
    await sandbox?.ended;
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  it('the shell commands work line by line as the page prints them', ({ skip }) => {
    if (!IS_ROOT) skip('needs root to act as another Unix user');
    const script = here(docBlocks(PAGE, 'agent').join('echo ----\n'));
    const { status, stdout, stderr } = as(AGENT, ['sh', '-euc', script]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [identity = '', , accepted, refused, handshake] = stdout.split('----\n');
    const auth = { type: 'x509', keyHandle: expect.stringMatching(/^sr=.*&sig=/), certId: 'device-id' };
    const where = { hubName: expect.any(String), gatewayHost: expect.any(String) };
    expect(JSON.parse(identity)).toEqual({
      type: 'aziot',
      spec: { ...where, deviceId: 'test-device-01', auth },
    });
    expect([accepted, refused, handshake]).toEqual(['204\n', '401\n', 'Verification: OK\n']);
  });

  for (const [command, name] of [
    ['python3', 'x509-agent.py'],
    [process.execPath, 'x509-agent.ts'],
  ] as const)
    it(`${name} sends a message as the device, and as nobody else`, ({ skip }) => {
      if (!IS_ROOT) skip('needs root to act as another Unix user');
      const run = join(folder, 'data/run');
      const line = [command, join(folder, name), run, join(run, 'ca.pem')];
      const env = { OPENSSL_ENGINES: join(folder, 'engines') };
      const { stdout, stderr } = as(AGENT, line, env);
      expect({ stdout, stderr }).toEqual({ stdout: '204\n', stderr: '' });
      const refused = as(STRANGER, line, env);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('identityd answered 401');
    });
});
