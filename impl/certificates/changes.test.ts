import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemClock } from '../process/index.ts';
import { Changes } from './changes.ts';
import { CertificateStore } from './store.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'changes-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const never = new AbortController().signal;

test('a write wakes who waits, at once', async () => {
  const store = new CertificateStore(root, new Map());
  await store.write('x', 'one');
  const sleepy = { ...systemClock, sleep: (_: number, signal?: AbortSignal) => systemClock.sleep(3_600_000, signal) };
  const wanted = { read: () => store.read('x'), same: (pem: string | undefined) => pem === 'one', waitMs: 60_000 };
  const waiting = store.changes.until(wanted, sleepy, never);
  await store.write('y', 'another');
  await store.write('x', 'two');
  expect(await waiting).toBe('two');
});

test('a file that somebody else replaced is noticed too', async () => {
  const path = join(root, 'pre.pem');
  writeFileSync(path, 'one');
  const store = new CertificateStore(root, new Map([['x', { kind: 'file', path }]]));
  const quick = { ...systemClock, sleep: () => systemClock.sleep(1) };
  const wanted = { read: () => store.read('x'), same: (pem: string | undefined) => pem === 'one', waitMs: 60_000 };
  const waiting = store.changes.until(wanted, quick, never);
  writeFileSync(path, 'two');
  expect(await waiting).toBe('two');
});

test('the end of the wait gives what is there', async () => {
  const wanted = { read: async () => 'same', same: () => true, waitMs: 20 };
  expect(await new Changes().until(wanted, systemClock, never)).toBe('same');
});

test('a caller that hangs up ends the wait', async () => {
  const stop = new AbortController();
  const wanted = { read: async () => 'same', same: () => true, waitMs: 60_000 };
  const waiting = new Changes().until(wanted, systemClock, stop.signal);
  stop.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
});
