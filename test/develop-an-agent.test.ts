import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { IS_ROOT, type RunningSandbox, startSandbox, whenTold } from './sandbox-process.ts';
import { docBlocks } from './support/doc-blocks.ts';

const AGENT = 65534;
const STRANGER = 65532;
const PAGE = readFileSync(resolve(import.meta.dirname, '../docs/develop-an-agent.md'), 'utf8');

const blocks = (kind: string) => docBlocks(PAGE, kind);

describe('the walk-through of docs/develop-an-agent.md', () => {
  let folder: string;
  let sandbox: RunningSandbox | undefined;

  beforeAll(async () => {
    if (!IS_ROOT) return;
    folder = mkdtempSync(join(tmpdir(), 'agent-'));
    chmodSync(folder, 0o755);
    const [start = ''] = blocks('operator');
    const args = start
      .trim()
      .replace(/^npm start -- /, '')
      .replaceAll('/srv/aziot', folder)
      .split(' ');
    sandbox = startSandbox([...args.map((arg) => (arg === 'agent' ? String(AGENT) : arg)), '--json']);
    await whenTold(sandbox);
  }, 120_000);

  afterAll(async () => {
    sandbox?.child.kill('SIGTERM');
    await sandbox?.ended;
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  /** Runs commands of the page as a Unix user, all in one shell that stops at the first that fails. */
  function runAs(uid: number, commands: readonly string[]) {
    const script = commands.join('echo ----\n').replaceAll('/srv/aziot', folder);
    const as = ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', 'sh', '-euc', script];
    const { status, stdout, stderr } = spawnSync('setpriv', as, {
      encoding: 'utf8',
      cwd: '/',
      env: { PATH: process.env['PATH'] },
    });
    return { status, stderr, parts: stdout.split('----\n') };
  }

  it('names its blocks as this test runs them', () => {
    const kinds = [...PAGE.matchAll(/^```(.*)$/gm)].map(([, kind]) => kind).filter((kind) => kind !== '');
    expect(new Set(kinds)).toEqual(
      new Set(['sh setup', 'sh operator', 'sh agent', 'sh stranger', 'toml', 'json', 'text']),
    );
    expect(blocks('operator')).toEqual(['npm start -- --host-user agent --data-dir /srv/aziot\n']);
  });

  it('works line by line as the user that the configuration allows', ({ skip }) => {
    if (!IS_ROOT) skip('needs root to act as another Unix user');
    const { status, stderr, parts } = runAs(AGENT, blocks('agent'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [identity = '', , , , accepted, refused, others, key] = parts;
    expect(JSON.parse(identity)).toEqual({
      type: 'aziot',
      spec: {
        hubName: expect.stringMatching(/^localhost:\d+$/),
        gatewayHost: expect.stringMatching(/^localhost:\d+$/),
        deviceId: 'test-device-01',
        moduleId: 'agent',
        genId: expect.stringMatching(/^\d+$/),
        auth: { type: 'sas', keyHandle: expect.stringMatching(/^sr=.*&sig=/) },
      },
    });
    expect(accepted).toBe('204\n');
    expect(refused).toBe('401\n');
    expect(others).toBe('{"message":"authorization error"} 401\n'.repeat(2));
    expect(key).toBe(`{"message":"user ${AGENT} is not authorized to access the key aziot_identityd_master_id"} 401\n`);
  });

  it('is refused for a user that the configuration does not name, as the page says', ({ skip }) => {
    if (!IS_ROOT) skip('needs root to act as another Unix user');
    const { status, parts } = runAs(STRANGER, blocks('stranger'));
    const [, said] = /^```text\n([\s\S]*?)^```$/m.exec(PAGE) ?? [];
    expect(status).toBe(0);
    expect(parts.join('')).toBe(said);
  });

  it('shows the configuration that the sandbox writes', ({ skip }) => {
    if (!IS_ROOT) skip('needs root to act as another Unix user');
    const [, shown = ''] = /^```toml\n([\s\S]*?)^```$/m.exec(PAGE) ?? [];
    const written = readFileSync(join(folder, 'identityd/config.toml'), 'utf8').replaceAll(/\s+/g, ' ');
    const principal = shown
      .replace('998', String(AGENT))
      .replaceAll(/\[\s*"module"\s*\]/g, '[ "module" ]')
      .replaceAll(/\s+/g, ' ');
    expect(written).toContain(principal.trim());
  });
});
