import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Daemon, Exit } from './daemon-process.ts';
import { whenModulesExist, whenProvisioned } from './provisioned.ts';

let folder: string;
let stop: (() => void) | undefined;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'prov-'));
});
afterEach(async () => {
  stop?.();
  stop = undefined;
  await rm(folder, { recursive: true, force: true });
});

/** identityd with these answers, one after another; the last one again and again. `hold` answers nothing. */
async function identityd(answers: readonly (readonly [status: number, body: unknown] | 'hold')[]) {
  const socketPath = join(folder, 'identityd.sock');
  let at = 0;
  const server = createServer((_, response) => {
    const answer = answers[Math.min(at++, answers.length - 1)]!;
    if (answer !== 'hold') response.writeHead(answer[0]).end(JSON.stringify(answer[1]));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  stop = () => {
    server.close();
    server.closeAllConnections();
  };
  const ended = Promise.withResolvers<Exit>();
  const daemon: Daemon = {
    name: 'identityd',
    pid: 1,
    socketPath,
    exit: () => undefined,
    ended: ended.promise,
    logTail: () => [],
    stop: async () => {},
  };
  return { daemon, end: ended.resolve };
}
const never = new AbortController().signal;
const device = [200, { type: 'aziot', spec: { deviceId: 'd', hubName: 'h' } }] as const;

describe('waiting for the device identity', () => {
  it('ends with it, also where the module is not in the hub at first', async () => {
    const { daemon } = await identityd([[404, { message: 'Hub client error' }], device]);
    expect(await whenProvisioned(daemon, 5_000, never)).toEqual({ deviceId: 'd', hubName: 'h' });
  });

  it('ends at once when the first attempt has failed', async () => {
    const { daemon } = await identityd([[400, { message: 'device identity not found' }]]);
    await expect(whenProvisioned(daemon, 5_000, never)).rejects.toThrow(
      'identityd answered 400 {"message":"device identity not found"}',
    );
  });

  it('ends when identityd does', async () => {
    const { daemon, end } = await identityd(['hold']);
    setTimeout(() => end({ code: 1 }), 20);
    await expect(whenProvisioned(daemon, 5_000, never)).rejects.toThrow('identityd ended with exit code 1');
  });

  it('ends when the time is over, and says what came last', async () => {
    const { daemon } = await identityd([[404, { message: 'no module' }]]);
    await expect(whenProvisioned(daemon, 150, never)).rejects.toThrow('identityd answered 404 {"message":"no module"}');
  });
});

describe('waiting for the modules', () => {
  const list = (...names: string[]) =>
    [200, { identities: names.map((moduleId) => ({ type: 'aziot', spec: { moduleId, genId: '1' } })) }] as const;

  it('ends when all of them are there', async () => {
    const { daemon } = await identityd([list('agent'), list('agent', 'telemetry', 'foreign')]);
    const modules = await whenModulesExist(daemon, ['agent', 'telemetry'], 5_000, never);
    expect(modules.map(({ moduleId }) => moduleId)).toEqual(['agent', 'telemetry', 'foreign']);
  });

  it('does not go on where the caller may not list', async () => {
    const { daemon } = await identityd([[401, { message: 'authorization error' }]]);
    await expect(whenModulesExist(daemon, ['agent'], 5_000, never)).rejects.toThrow(/answered 401/);
  });
});
