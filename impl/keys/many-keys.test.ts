import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { objectFileName } from '../files/index.ts';
import { KeydWorld } from './testing/world.ts';

const MANY = 600;
const FILE_BYTES = 4000;

let world: KeydWorld;
const pathOf = (id: string) => join(world.keysFolder, objectFileName(id, '.key'));
const load = async (id: string) => (await world.call('GET', `/key/${id}`)).status;
/** Of files and sockets, by this process. */
const bytesRead = () => Number(/^rchar: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1]);

beforeEach(async () => {
  world = new KeydWorld();
  world.writeConfig();
  mkdirSync(world.keysFolder, { mode: 0o700 });
  for (let number = 0; number < MANY; number++)
    writeFileSync(pathOf(`key-${number}`), Buffer.alloc(FILE_BYTES, number % 251));
  writeFileSync(pathOf('hollow'), '');
  await world.start();
  // more files than the cache of contents holds, so without the census each is read again in each round
  const deadline = performance.now() + 15_000;
  for (;;) {
    const before = bytesRead();
    for (let number = 0; number < MANY; number++) expect(await load(`key-${number}`)).toBe(200);
    if (bytesRead() - before < MANY * FILE_BYTES) return;
    if (performance.now() > deadline) throw new Error('key files are read at each load');
  }
});
afterEach(() => world.remove());

describe('a folder with very many key files', () => {
  it('tells of keys that others remove, empty or replace, at the next load', async () => {
    const [gone, emptied, pair, kept] = ['key-1', 'key-2', 'key-3', 'key-4'] as const;
    for (const id of [gone, emptied, pair, kept]) expect(await load(id)).toBe(200);
    rmSync(pathOf(gone));
    expect(await load(gone)).toBe(400);
    writeFileSync(pathOf(emptied), '');
    expect(await load(emptied)).toBe(500);
    writeFileSync(pathOf(pair), '-----BEGIN PRIVATE KEY-----\n');
    expect(await load(pair)).toBe(400);
    expect(await load(kept)).toBe(200);
    expect(await load('nobody')).toBe(400);
    expect(world.lines.some((line) => line.includes(`key file ${pathOf(emptied)} is empty`))).toBe(true);
  });

  it('tells of keys that keyd itself makes and deletes, at the next load', async () => {
    const handle = await world.key('key-5');
    expect((await world.call('DELETE', '/key', { keyHandle: handle })).status).toBe(204);
    expect(await load('key-5')).toBe(400);
    await world.key('key-5');
    expect(await load('key-5')).toBe(200);
  });

  it('names empty files in the log, and refuses to load them', async () => {
    expect(world.lines.filter((line) => line.includes(`key file ${pathOf('hollow')} is empty`))).toHaveLength(1);
    expect(await load('hollow')).toBe(500);
  });
});
