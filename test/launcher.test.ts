import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

const PASS_LISTENER = resolve(import.meta.dirname, 'support/pass-listener.mjs');
const LAUNCHER = resolve(import.meta.dirname, '../impl/bin/aziotd');

let root: string;
let socketPath: string;
let children: ChildProcess[];
let env: Record<string, string>;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'launcher-'));
  socketPath = join(root, 'keyd.sock');
  children = [];
  mkdirSync(join(root, 'home'));
  writeFileSync(
    join(root, 'keyd.toml'),
    `[aziot_keys]\nhomedir_path = "${root}/home"\n[endpoints]\naziot_keyd = "unix://${socketPath}"\n`,
  );
  env = {
    PATH: process.env['PATH'] ?? '',
    AZIOT_KEYD_CONFIG: join(root, 'keyd.toml'),
    AZIOT_KEYD_CONFIG_DIR: join(root, 'none'),
  };
});

afterEach(() => {
  for (const child of children) child.kill('SIGKILL');
  rmSync(root, { recursive: true });
});

function start(command: string, args: string[], options: { cwd?: string } = {}): ChildProcess {
  const child = spawn(command, args, { env, cwd: options.cwd ?? '/', stdio: 'ignore' });
  children.push(child);
  return child;
}

function get(path: string): Promise<number> {
  return new Promise((done, fail) => {
    request({ socketPath, path, agent: false }, (answer) => {
      answer.resume();
      done(answer.statusCode ?? 0);
    })
      .on('error', fail)
      .end();
  });
}

async function served(): Promise<number> {
  for (let left = 400; left > 0; left--) {
    const status = await get('/nosuch?api-version=2021-05-01').catch(() => 0);
    if (status !== 0) return status;
    await new Promise((done) => setTimeout(done, 25));
  }
  throw new Error('keyd did not serve');
}

const exit = (child: ChildProcess) => new Promise<number | null>((done) => child.once('exit', done));

describe('which daemon', () => {
  it.each([
    ['by absolute path and short name', () => start(LAUNCHER, ['keyd'])],
    ['by the long name', () => start(LAUNCHER, ['aziot-keyd'])],
    [
      'by a relative path from another folder',
      () => start(relative('/usr/lib', LAUNCHER), ['keyd'], { cwd: '/usr/lib' }),
    ],
    [
      'through a link named aziot-keyd',
      () => {
        symlinkSync(LAUNCHER, join(root, 'aziot-keyd'));
        return start(join(root, 'aziot-keyd'), []);
      },
    ],
    [
      'through a link to a link, found by PATH',
      () => {
        symlinkSync(LAUNCHER, join(root, 'aziotd'));
        symlinkSync('aziotd', join(root, 'aziot-keyd'));
        env = { ...env, PATH: `${root}:${env['PATH']}` };
        return start('aziot-keyd', []);
      },
    ],
  ])('%s', async (_, begin) => {
    begin();
    expect(await served()).toBe(404);
  });

  it.each([['foo'], [''], ['aziot-food'], ['__proto__']])('TR-056: "%s" is refused with exit 1', (name) => {
    const ended = spawnSync(LAUNCHER, [name], { env, encoding: 'utf8' });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('use one of: keyd, certd, identityd');
  });

  it('the process keeps its pid, so that signals reach the daemon; TR-055: SIGTERM ends it with 0', async () => {
    const child = start(LAUNCHER, ['keyd']);
    await served();
    child.kill('SIGTERM');
    expect(await exit(child)).toBe(0);
  });
});

describe('the daemons in a few files are taken', () => {
  let tree: string;

  /** Writes a program that prints its own name, last changed `ageS` seconds ago. */
  function put(path: string, ageS: number): void {
    writeFileSync(join(tree, path), `console.log(${JSON.stringify(path)})`);
    const then = Date.now() / 1000 - ageS;
    utimesSync(join(tree, path), then, then);
  }

  beforeEach(() => {
    tree = join(root, 'tree');
    mkdirSync(join(tree, 'impl/bin/build'), { recursive: true });
    mkdirSync(join(tree, 'impl/keys'));
    copyFileSync(LAUNCHER, join(tree, 'impl/bin/aziotd'));
    writeFileSync(join(tree, 'package.json'), '{"type":"module"}');
    put('impl/bin/main.ts', 100);
    put('impl/keys/index.ts', 100);
    put('impl/bin/build/main.js', 50);
    put('impl/bin/build/main.test.ts', 1);
    put('impl/keys/keys.test.ts', 1);
  });

  const taken = (more: Record<string, string> = {}) =>
    spawnSync(join(tree, 'impl/bin/aziotd'), ['keyd'], {
      env: { ...env, AZIOT_NODE: process.execPath, ...more },
      encoding: 'utf8',
    }).stdout.trim();

  it('while no source is newer', () => expect(taken()).toBe('impl/bin/build/main.js'));

  it('not once a source of any room is newer', () => {
    put('impl/keys/index.ts', 10);
    expect(taken()).toBe('impl/bin/main.ts');
  });

  it('not where there are none', () => {
    rmSync(join(tree, 'impl/bin/build'), { recursive: true });
    expect(taken()).toBe('impl/bin/main.ts');
  });

  it('not when AZIOT_RUN_SOURCES asks for the sources', () =>
    expect(taken({ AZIOT_RUN_SOURCES: '1' })).toBe('impl/bin/main.ts'));
});

describe('socket', () => {
  it('TR-034, KS-105: a stale socket is replaced; TR-036: mode 0660', async () => {
    const first = start(LAUNCHER, ['keyd']);
    await served();
    first.kill('SIGKILL');
    await exit(first);
    expect(existsSync(socketPath)).toBe(true);
    start(LAUNCHER, ['keyd']);
    expect(await served()).toBe(404);
    expect(statSync(socketPath).mode & 0o777).toBe(0o660);
  });

  it('TR-035: an empty directory in its place is removed, one with a file is kept and refused', async () => {
    mkdirSync(socketPath);
    start(LAUNCHER, ['keyd']);
    expect(await served()).toBe(404);
    writeFileSync(
      join(root, 'keyd.toml'),
      `[aziot_keys]\nhomedir_path = "${root}/home"\n[endpoints]\naziot_keyd = "unix://${root}/home"\n`,
    );
    writeFileSync(join(root, 'home', 'precious'), '');
    const ended = spawnSync(LAUNCHER, ['keyd'], { env, encoding: 'utf8', timeout: 10_000 });
    expect(ended.status).toBe(1);
    expect(existsSync(join(root, 'home', 'precious'))).toBe(true);
  });

  it('TR-037, KS-104: a descriptor from systemd is served and no socket file is made', async () => {
    const passed = join(root, 'passed.sock');
    const command = `LISTEN_PID=$$ LISTEN_FDS=1 exec ${LAUNCHER} keyd`;
    const { stdout } = spawnSync(process.execPath, [PASS_LISTENER, passed, '/bin/sh', '-c', command], {
      env,
      encoding: 'utf8',
    });
    const pid = Number(stdout);
    const own = socketPath;
    socketPath = passed;
    try {
      expect(await served()).toBe(404);
      expect(existsSync(own)).toBe(false);
    } finally {
      process.kill(pid, 'SIGKILL');
    }
  });

  it('TR-039: LISTEN_FDS that cannot be read ends it with 1', () => {
    const ended = spawnSync('/bin/sh', ['-c', `LISTEN_PID=$$ LISTEN_FDS=abc exec ${LAUNCHER} keyd`], {
      env,
      encoding: 'utf8',
    });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toContain('LISTEN_FDS');
  });

  it('TR-040: a TCP descriptor ends it, with the cause', () => {
    const exec = `LISTEN_PID=$$ LISTEN_FDS=1 exec ${LAUNCHER} keyd`;
    const { stderr } = spawnSync(process.execPath, [PASS_LISTENER, 'tcp', '/bin/sh', '-c', exec], {
      env,
      encoding: 'utf8',
    });
    expect(stderr).toContain('is a TCP socket');
  });
});

describe('bad configuration', () => {
  it.each([
    ['a wrong type', 'max_requests = "x"', /keyd\.toml:1: key "max_requests"/],
    ['bad TOML', 'x = = 1', /keyd\.toml:1:5: not valid TOML/],
  ])('%s ends it with 1, naming file, line and key', (_, text, cause) => {
    writeFileSync(join(root, 'keyd.toml'), text);
    const ended = spawnSync(LAUNCHER, ['keyd'], { env, encoding: 'utf8', timeout: 10_000 });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toMatch(cause);
  });
});
