import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IS_ROOT, type RunningSandbox, startSandbox, whenTold } from './sandbox-process.ts';

const AGENT = 65534;
const STRANGER = 65532;
const EXAMPLES = resolve(import.meta.dirname, '../docs/examples');

describe('the programs of docs/host-process.md', () => {
  let folder: string;
  let sandbox: RunningSandbox | undefined;

  beforeAll(async () => {
    if (!IS_ROOT) return;
    folder = mkdtempSync(join(tmpdir(), 'host-'));
    chmodSync(folder, 0o755);
    for (const name of ['agent.py', 'agent.ts']) copyFileSync(join(EXAMPLES, name), join(folder, name));
    const way = ['--provisioning', 'dps-symmetric', '--host-user', String(AGENT)];
    sandbox = startSandbox([...way, '--data-dir', join(folder, 'data'), '--json']);
    await whenTold(sandbox);
  }, 120_000);

  afterAll(async () => {
    sandbox?.child.kill('SIGTERM');
    await sandbox?.ended;
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  for (const [command, name] of [
    ['python3', 'agent.py'],
    [process.execPath, 'agent.ts'],
  ] as const)
    it(`${name} sends a message as its module, and as nobody else`, ({ skip }) => {
      if (!IS_ROOT) skip('needs root to act as another Unix user');
      const run = join(folder, 'data/run');
      const as = (uid: number) => {
        const user = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups'];
        return spawnSync('setpriv', [...user, command, join(folder, name), run, join(run, 'ca.pem')], {
          encoding: 'utf8',
          cwd: '/',
          // the system's python3: one below another user's home is closed to the agent
          env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' },
        });
      };
      const { stdout, stderr } = as(AGENT);
      expect({ stdout, stderr }).toEqual({ stdout: '204\n', stderr: '' });
      const refused = as(STRANGER);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toContain('identityd answered 401');
    });
});
