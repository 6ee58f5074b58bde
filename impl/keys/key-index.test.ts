import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, createLogger } from '../process/index.ts';
import { IdSet } from './id-set.ts';
import { KeyIndex } from './key-index.ts';

let folder: string;
let lines: string[];
let now: number;
const open: KeyIndex[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'index-'));
  lines = [];
  now = 1_000_000_000_000;
});
afterEach(async () => {
  for (const index of open.splice(0)) await index.close();
  rmSync(folder, { recursive: true });
});

const path = () => join(folder, 'key-ids.jsonl');
/** A clock whose sleeps end only when they are aborted. */
const clock: Clock = {
  now: () => now,
  sleep: (_, signal) => new Promise((_done, fail) => signal?.addEventListener('abort', () => fail(signal.reason))),
};

function indexAt(place: string | undefined): KeyIndex {
  const log = createLogger({ target: 't', filter: undefined, write: (line) => lines.push(line), now: () => now });
  const index = new KeyIndex(place, { clock, log });
  open.push(index);
  return index;
}

describe('index of key ids', () => {
  it('gives back what was noted, after a restart too', async () => {
    const first = indexAt(path());
    first.note('a');
    now += 1000;
    first.note('Ünï "x"\n');
    first.note('gone');
    first.forget('gone');
    await first.close();
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect([...(await indexAt(path()).entries())]).toEqual([
      ['a', now - 1000],
      ['Ünï "x"\n', now],
    ]);
  });

  it('reads past lines that a crash cut off, and does not add to them', async () => {
    writeFileSync(path(), '{"id":"a"}\n{"id":"b","us');
    const index = indexAt(path());
    index.note('c');
    await index.write();
    expect([...(await index.entries()).keys()]).toEqual(['a', 'c']);
    expect(readFileSync(path(), 'utf8').split('\n')).toHaveLength(4);
  });

  it('is made anew when it has grown, with what counts', async () => {
    const line = `${JSON.stringify({ id: 'a', used: new Date(now).toISOString() })}\n`;
    writeFileSync(path(), line.repeat(30_000));
    const index = indexAt(path());
    index.note('b');
    await index.write();
    expect(readFileSync(path(), 'utf8').split('\n')).toHaveLength(3);
    appendFileSync(path(), '{"id":"c"}\n');
    expect([...(await index.entries()).keys()]).toEqual(['a', 'b', 'c']);
  });

  it('holds a bounded number of uses in memory', async () => {
    for (const place of [path(), undefined]) {
      const index = indexAt(place);
      for (let each = 0; each < 10_000; each++) index.note(`id-${each}`);
      await index.write();
      expect((await index.entries()).size).toBe(place === undefined ? 4095 : 10_000);
    }
  });

  it('a folder that cannot be written is a warning, once', async () => {
    const index = indexAt(join(folder, 'none', 'key-ids.jsonl'));
    index.note('a');
    await index.write();
    index.note('b');
    await index.write();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^<4>.*ENOENT.*GET \/keys shows some keys by file name/);
  });
});

describe('set of ids', () => {
  it('knows what was put in, through growth', () => {
    const set = new IdSet();
    for (let each = 0; each < 5000; each++) set.add(`id-${each}`);
    for (let each = 0; each < 5000; each++) expect(set.has(`id-${each}`)).toBe(true);
    for (let each = 5000; each < 10_000; each++) expect(set.has(`id-${each}`)).toBe(false);
  });
});
