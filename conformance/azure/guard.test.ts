import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Guard, type Limits } from './guard.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'guard-'));
});
afterEach(() => rm(folder, { recursive: true }));

const guard = (more: Partial<Limits> = {}) =>
  new Guard({ maxRequests: 100, spacingMs: 0, mayChange: false, ledger: join(folder, 'ledger'), ...more });

test('a guard that may not change anything lets GET through alone, and says which option would', async () => {
  await guard().admit('GET');
  for (const method of ['PUT', 'DELETE', 'POST'])
    await expect(guard().admit(method)).rejects.toMatchObject({
      message: /read-only.*--allow-changes/,
      need: 'changes',
    });
  await guard({ mayChange: true }).admit('PUT');
  expect((await stat(join(folder, 'ledger'))).size).toBe(2);
});

test('the budget is that of the run: guards of one ledger spend it together', async () => {
  const [one, other] = [guard({ maxRequests: 3 }), guard({ maxRequests: 3 })];
  for (const next of [one, other, one]) await next.admit('GET');
  for (const next of [one, other])
    await expect(next.admit('GET')).rejects.toMatchObject({ message: /--max-requests 3/, need: 'budget' });
});

test('requests that are wanted at once go one after the other, the spacing between them', async () => {
  const spaced = guard({ spacingMs: 60 });
  const started = performance.now();
  await Promise.all([1, 2, 3, 4].map(() => spaced.admit('GET')));
  expect(performance.now() - started).toBeGreaterThan(3 * 60 - 15);
});

test('after a 429 nothing more is sent, and the pause that the service asked for is told', async () => {
  const throttled = guard();
  throttled.throttled('17');
  await expect(throttled.admit('GET')).rejects.toMatchObject({ message: /429.*17 s/, need: 'budget' });
});
