import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../process/index.ts';
import { openCreationJournal } from './creation-journal.ts';

let home: string;
let logged: string[];
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'aziot-creations-'));
  logged = [];
});
afterEach(() => rm(home, { recursive: true }));

const log = createLogger({ target: 't', filter: 'info', write: (line) => logged.push(line), now: () => 0 });
const open = () => openCreationJournal(home, log);
const onDisk = async () => JSON.parse(await readFile(join(home, 'module_creations'), 'utf8')) as string[];

describe('the journal of creations', () => {
  it('a beginning is on the disk before it resolves, and survives a kill', async () => {
    const journal = await open();
    await journal.begin('a');
    expect(await onDisk()).toEqual(['a']);
    expect((await open()).has('a')).toBe(true);
  });

  it('fifty at the same time share few writes, and all of them are there', async () => {
    const journal = await open();
    const names = Array.from({ length: 50 }, (_, index) => `m${index}`);
    await Promise.all(names.map((name) => journal.begin(name)));
    expect((await onDisk()).sort()).toEqual([...names].sort());
    for (const name of names) journal.end(name);
    await journal.close();
    expect(await readdir(home)).toEqual([]);
  });

  it('what has ended is forgotten for good', async () => {
    const journal = await open();
    await journal.begin('a');
    await journal.begin('b');
    journal.end('a');
    await journal.close();
    const again = await open();
    expect([again.has('a'), again.has('b')]).toEqual([false, true]);
  });

  it('a file that cannot be read is a warning', async () => {
    await writeFile(join(home, 'module_creations'), '{"not": "a list"}');
    expect((await open()).has('a')).toBe(false);
    expect(logged.join('')).toContain('module_creations: it does not hold what it should');
  });
});
