import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { describeExit, startDaemon, whenListening } from './daemon-process.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'daemon-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function start(script: string) {
  const aziotd = join(folder, 'aziotd');
  await writeFile(aziotd, `#!/bin/sh\n${script}\n`);
  await chmod(aziotd, 0o755);
  return startDaemon({ name: 'keyd', aziotd, env: process.env, socketPath: join(folder, 'keyd.sock') });
}

const never = new AbortController().signal;
const LISTEN = `exec "${process.execPath}" -e 'require("net").createServer().listen("'"$(dirname "$0")"'/keyd.sock")'`;

describe('a daemon as a process', () => {
  it('is waited for until it listens, and is stopped', async () => {
    const daemon = await start(LISTEN);
    expect(await whenListening(daemon, 10_000, never)).toBeUndefined();
    await daemon.stop(5_000);
    expect(daemon.exit()).toEqual({ signal: 'SIGTERM' });
    expect(() => process.kill(daemon.pid, 0)).toThrow(/ESRCH/);
  });

  it('that ends before it listens is reported with its exit code and its last lines', async () => {
    const daemon = await start('echo one >&2; echo two >&2; printf three >&2; exit 3');
    expect(await whenListening(daemon, 10_000, never)).toBe('keyd ended with exit code 3');
    expect(daemon.logTail(2)).toEqual(['two', 'three']);
  });

  it('that never listens is reported', async () => {
    const daemon = await start('exec sleep 60');
    expect(await whenListening(daemon, 50, never)).toMatch(/did not open .*keyd.sock within 0.05 s/);
    await daemon.stop(5_000);
  });

  it('is waited for no longer once the story is called off', async () => {
    const daemon = await start('exec sleep 60');
    await expect(whenListening(daemon, 60_000, AbortSignal.abort(new Error('called off')))).rejects.toThrow(
      'called off',
    );
    await daemon.stop(5_000);
  });

  it('that does not end when asked is ended', async () => {
    const daemon = await start('trap "" TERM; echo up >&2; while :; do sleep 0.05; done');
    while (daemon.logTail(1)[0] !== 'up') await new Promise((resolve) => setTimeout(resolve, 5));
    await daemon.stop(50);
    expect(daemon.exit()).toEqual({ signal: 'SIGKILL' });
  });

  it('that cannot be started says so', async () => {
    const daemon = startDaemon({ name: 'certd', aziotd: join(folder, 'none'), env: {}, socketPath: join(folder, 's') });
    const exit = await daemon.ended;
    expect(describeExit(exit)).toMatch(/^could not be started: .*ENOENT/);
    await daemon.stop(10);
  });

  it('is named as the reference is: by its first word and by its argument', async () => {
    const daemon = await start('echo "$1" >&2');
    await daemon.ended;
    expect(daemon.logTail(1)).toEqual(['aziot-keyd']);
  });
});
