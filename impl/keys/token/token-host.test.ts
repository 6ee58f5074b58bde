import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createLogger } from '../../process/index.ts';
import { Counters } from '../counters.ts';
import { TokenHost } from './token-host.ts';

const ADDRESS = { slot: { label: 'tok' }, pin: 'secret-pin' };
const HMAC = { task: 'hmac', label: 'a', data: Buffer.from('x') } as const;
const lines: string[] = [];
let host: TokenHost;

function start(script: string, deadlineMs = 200): TokenHost {
  lines.length = 0;
  const log = createLogger({ target: 't', filter: undefined, write: (line) => lines.push(line), now: () => 0 });
  const path = fileURLToPath(new URL(`../testing/hosts/${script}.ts`, import.meta.url));
  host = new TokenHost({
    modulePath: '/none',
    log,
    env: process.env,
    script: path,
    deadlineMs,
    counters: new Counters(),
  });
  return host;
}
afterEach(() => host.close());
const pause = () => new Promise((resolve) => setTimeout(resolve, 1100));

describe('token host', () => {
  it('stops a module that hangs, refuses what comes next at once, and tries it again by itself', async () => {
    start('hanging', 2000);
    await host.run(ADDRESS, { task: 'open' });
    const both = await Promise.allSettled([host.run(ADDRESS, HMAC), host.run(ADDRESS, HMAC)]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(both.map((each) => (each as PromiseRejectedResult).reason.message)).toEqual(
      Array(2).fill('internal error\ncaused by: the token did not answer in time'),
    );
    expect(lines.join('')).toContain(
      'did not answer hmac within 2000 ms and was stopped; 2 requests to the token failed',
    );
    const asked = performance.now();
    await expect(host.run(ADDRESS, HMAC)).rejects.toMatchObject({ code: 'token-away', status: 503, retryAfter: 1 });
    expect(performance.now() - asked).toBeLessThan(500);
    // the module of this host hangs in the same task again, so it is tried a second time later
    await vi.waitFor(() => expect(lines.filter((line) => line.includes('; 1 requests'))).toHaveLength(1), 10_000);
    await expect(host.run(ADDRESS, HMAC)).rejects.toMatchObject({ code: 'token-away', retryAfter: 2 });
  });

  it('survives a module that crashes', async () => {
    start('crashing', 5000);
    await expect(host.run(ADDRESS, HMAC)).rejects.toMatchObject({
      message: 'internal error\ncaused by: the process that serves the token has ended',
      cause: { message: 'the token host ended (SIGSEGV)' },
    });
    await expect(host.run(ADDRESS, { task: 'open' })).rejects.toMatchObject({
      status: 503,
      retryAfter: 1,
      cause: { message: 'the token host has just ended; it is started again in a second' },
    });
    await pause();
    expect(await host.run(ADDRESS, { task: 'open' })).toEqual({ outcome: 'done' });
    expect(lines.join('')).not.toContain('secret-pin');
  });

  it('KS-098: says which module could not be loaded', async () => {
    const log = createLogger({ target: 't', filter: undefined, write: () => undefined, now: () => 0 });
    host = new TokenHost({ modulePath: '/none.so', log, env: process.env, counters: new Counters() });
    await expect(host.run(ADDRESS, { task: 'open' })).rejects.toThrow(
      'token "tok": open failed: PKCS#11 module /none.so could not be loaded; check pkcs11_lib_path',
    );
  });
});
