import {
  appendFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { eventTurn, objectFileName } from '../files/index.ts';
import { createLogger } from '../process/index.ts';
import { KeyCensus } from './key-census.ts';

const MANY = 520;
const PEM = '-----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY-----\n';

let root: string;
let folder: string;
let census: KeyCensus;
let lines: string[];
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'census-'));
  folder = join(root, 'home', 'keys');
  mkdirSync(folder, { recursive: true });
  lines = [];
  const write = (line: string) => lines.push(line);
  census = new KeyCensus(folder, createLogger({ target: 'keyd', filter: undefined, write, now: Date.now }));
});
afterEach(() => {
  census.close();
  rmSync(root, { recursive: true });
});

const pathOf = (id: string) => join(folder, objectFileName(id, '.key'));
const put = (id: string, content: string | Buffer = Buffer.alloc(32, 7)) => writeFileSync(pathOf(id), content);
const knows = (id: string) => census.vouchesFor(pathOf(id));

function fill(): void {
  for (let number = 0; number < MANY; number++) put(`key-${number}`);
}

/** A request comes by a turn of the event loop of its own; then its turn passes. */
async function heard(): Promise<void> {
  await eventTurn();
  await eventTurn();
}

/** Until the census vouches for all that it can. */
async function counted(last = 'key-0'): Promise<void> {
  expect(await census.begin()).toBe(true);
  await vi.waitFor(() => expect(knows(last) && knows(`key-${MANY - 1}`)).toBe(true), { timeout: 10_000 });
}

describe('the census of key files', () => {
  it('vouches for whole symmetric keys only, and names empty files', async () => {
    fill();
    put('pair', PEM);
    put('cut', '-----BEGIN PRIV');
    put('empty', '');
    put('large', Buffer.alloc(10_000, 1));
    symlinkSync(pathOf('key-1'), pathOf('link'));
    linkSync(pathOf('key-2'), join(root, 'other-name'));
    mkdirSync(pathOf('folder'));
    await counted();
    for (let number = 0; number < MANY; number++) expect(knows(`key-${number}`)).toBe(number !== 2);
    for (const id of ['pair', 'cut', 'empty', 'large', 'link', 'folder', 'nobody']) expect(knows(id)).toBe(false);
    expect(lines.filter((line) => line.includes(`key file ${pathOf('empty')} is empty`))).toHaveLength(1);
  });

  it('takes no part where keys are few', async () => {
    put('key-0');
    expect(await census.begin()).toBe(false);
    expect(knows('key-0')).toBe(false);
  });

  it('forgets a file that others change, replace or remove, and learns it again from a load', async () => {
    fill();
    await counted();
    const changes: Record<string, () => void> = {
      'key-3': () => put('key-3', ''),
      'key-4': () => appendFileSync(pathOf('key-4'), 'x'),
      'key-5': () => rmSync(pathOf('key-5')),
      'key-6': () => {
        writeFileSync(join(folder, 'new'), PEM);
        renameSync(join(folder, 'new'), pathOf('key-6'));
      },
    };
    for (const [id, change] of Object.entries(changes)) {
      expect(knows(id)).toBe(true);
      change();
      await heard();
      expect(knows(id)).toBe(false);
      census.learn(pathOf(id));
    }
    await vi.waitFor(() => expect(knows('key-4')).toBe(true));
    expect(['key-3', 'key-5', 'key-6'].map(knows)).toEqual([false, false, false]);
  });

  it('forgets at once what keyd itself changes', async () => {
    fill();
    await counted();
    census.forget(pathOf('key-7'));
    expect(knows('key-7')).toBe(false);
  });

  it('notices after one load that another folder is at its path', async () => {
    fill();
    await counted();
    renameSync(join(root, 'home'), join(root, 'aside'));
    mkdirSync(folder, { recursive: true });
    await heard();
    expect(knows('key-8')).toBe(true);
    await vi.waitFor(() => expect(knows('key-8')).toBe(false));
    expect(knows('key-9')).toBe(false);
  });

  it('notices after one load a change through another hard link', async () => {
    fill();
    await counted();
    linkSync(pathOf('key-9'), join(root, 'elsewhere'));
    writeFileSync(join(root, 'elsewhere'), '');
    expect(knows('key-9')).toBe(true);
    await vi.waitFor(() => expect(knows('key-9')).toBe(false));
    expect(knows('key-10')).toBe(true);
  });
});
