import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CachedFiles } from './cached-files.ts';
import { eventTurn } from './event-turn.ts';

const LARGEST = 10_000;
let folder: string;
let parsed: string[];
let files: CachedFiles<string | undefined>;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cached-'));
  parsed = [];
  files = new CachedFiles<string | undefined>({
    what: 'text file',
    largestBytes: LARGEST,
    absent: undefined,
    now: Date.now,
    parse(bytes) {
      const text = bytes.toString();
      parsed.push(text);
      if (text === 'unfit') throw new Error('it does not fit');
      return text;
    },
  });
});
afterEach(() => {
  files.close();
  rmSync(folder, { recursive: true });
});

/** A request comes by a turn of the event loop of its own; then its turn passes. */
async function heard(): Promise<void> {
  await eventTurn();
  await eventTurn();
}

const write = (name: string, text: string) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe('files that are parsed and kept', () => {
  it('are parsed once for any number of uses', async () => {
    const path = write('a', 'one');
    for (let use = 0; use < 100; use++) expect(await files.read(path)).toBe('one');
    expect(parsed).toEqual(['one']);
  });

  it('are parsed again after a change, also by rename, and are gone when they are removed', async () => {
    const path = write('a', 'one');
    await files.read(path);
    write('a', 'two, longer');
    await heard();
    expect(await files.read(path)).toBe('two, longer');
    renameSync(write('b', 'three'), path);
    await heard();
    expect(await files.read(path)).toBe('three');
    rmSync(path);
    await heard();
    expect(await files.read(path)).toBeUndefined();
    write('a', 'back');
    await heard();
    expect(await files.read(path)).toBe('back');
  });

  it.each([0, 1, 4095, 4096, 4097, LARGEST])('are read whole, with %i bytes', async (size) => {
    const text = Array.from({ length: size }, (_, at) => String(at % 10)).join('');
    expect(await files.read(write('a', text))).toBe(text);
  });

  it('are read anew where this process says that it changed them', async () => {
    const path = write('a', 'one');
    await files.read(path);
    write('a', 'two');
    files.forget(path);
    expect(await files.read(path)).toBe('two');
  });

  it('behind a symlink follow their target', async () => {
    const path = join(folder, 'link');
    symlinkSync(write('a', 'one'), path);
    expect(await files.read(path)).toBe('one');
    renameSync(write('b', 'two!'), join(folder, 'a'));
    await heard();
    expect(await files.read(path)).toBe('two!');
  });

  it('are refused where they are too large, no files, or unfit, each time anew', async () => {
    const large = write('large', 'x'.repeat(LARGEST + 1));
    await expect(files.read(large)).rejects.toThrow(`text file ${large} is larger than ${LARGEST} bytes`);
    mkdirSync(join(folder, 'sub'));
    await expect(files.read(join(folder, 'sub'))).rejects.toThrow('is not a plain file');
    execFileSync('mkfifo', [join(folder, 'pipe')]);
    await expect(files.read(join(folder, 'pipe'))).rejects.toThrow('is not a plain file');
    const unfit = write('unfit', 'unfit');
    for (let tries = 0; tries < 2; tries++) await expect(files.read(unfit)).rejects.toThrow('it does not fit');
    expect(parsed).toEqual(['unfit', 'unfit']);
    expect(await files.read(join(folder, 'nowhere', 'a'))).toBeUndefined();
  });

  it('are kept in a bounded number: those used longest ago are parsed again', async () => {
    const paths = Array.from({ length: 600 }, (_, number) => write(`f${number}`, `${number}`));
    for (const path of paths) await files.read(path);
    parsed.length = 0;
    for (const path of paths.slice(-500)) await files.read(path);
    expect(parsed).toEqual([]);
    await files.read(paths[0] ?? '');
    expect(parsed).toEqual(['0']);
  });
});
