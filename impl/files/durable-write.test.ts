import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import vectors from '../../fixtures/vectors/file-names.json' with { type: 'json' };
import {
  isUnfinishedWrite,
  isUnfinishedWriteOf,
  objectFileName,
  removeFileDurable,
  renameDurable,
  WriteThread,
  writeFileDurable,
} from './index.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'files-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const thread = new WriteThread();

describe.each([
  ['through the thread pool', writeFileDurable],
  ['on a thread of its own', thread.write],
])('durable write %s', (_, write) => {
  it('creates with mode 0600 whatever the umask, and leaves no temp file', async () => {
    const path = join(folder, 'key');
    await write(path, 'secret');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['key']);
  });

  it('takes over the mode of what it replaces when asked to', async () => {
    const path = join(folder, 'cert');
    writeFileSync(path, 'old', { mode: 0o644 });
    await write(path, 'new', { mode: 'keep' });
    expect(statSync(path).mode & 0o777).toBe(0o644);
    expect(readFileSync(path, 'utf8')).toBe('new');
  });

  it('writes at the same time, in one folder and in several, are all there', async () => {
    mkdirSync(join(folder, 'other'));
    const paths = Array.from({ length: 30 }, (_, n) => join(folder, n % 3 === 0 ? 'other' : '.', `file-${n}`));
    await Promise.all(paths.map((path) => write(path, path)));
    for (const path of paths) expect(readFileSync(path, 'utf8')).toBe(path);
  });

  it('replaces a symlink and leaves its target alone', async () => {
    writeFileSync(join(folder, 'target'), 'precious');
    symlinkSync('target', join(folder, 'link'));
    await write(join(folder, 'link'), 'new');
    expect(readFileSync(join(folder, 'target'), 'utf8')).toBe('precious');
    expect(lstatSync(join(folder, 'link')).isSymbolicLink()).toBe(false);
  });

  it('keeps the old file and no temp file when the rename fails', async () => {
    const path = join(folder, 'folder');
    await write(join(folder, 'x'), 'x');
    rmSync(join(folder, 'x'));
    mkdirSync(path);
    await expect(write(path, 'new')).rejects.toThrow();
    expect(readdirSync(folder)).toEqual(['folder']);
  });

  it('gives the mode that is asked for, whatever the umask', async () => {
    const umask = process.umask(0o077);
    try {
      await write(join(folder, 'open'), 'x', { mode: 0o644 });
      expect(statSync(join(folder, 'open')).mode & 0o777).toBe(0o644);
    } finally {
      process.umask(umask);
    }
  });

  it('says what failed, and the others of the same moment are there', async () => {
    const [lost, ...kept] = await Promise.allSettled([
      write(join(folder, 'none/x'), 'x'),
      write(join(folder, 'a'), 'a'),
      write(join(folder, 'b'), Buffer.from('b')),
    ]);
    expect(lost).toMatchObject({ status: 'rejected', reason: { code: 'ENOENT', syscall: 'open' } });
    expect(kept.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect(readdirSync(folder).sort()).toEqual(['a', 'b']);
    expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('b');
  });
});

describe('a thread of writes that fails', () => {
  const program = (text: string) => new WriteThread(new URL(`data:text/javascript,${encodeURIComponent(text)}`)).write;

  it('loses what it had taken, and says so', async () => {
    const write = program(
      `import { parentPort } from 'node:worker_threads'; parentPort.once('message', () => process.exit(3));`,
    );
    const all = await Promise.allSettled([write(join(folder, 'a'), 'a'), write(join(folder, 'b'), 'b')]);
    expect(all.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(all[0]).toMatchObject({ reason: { message: 'the thread that writes files ended' } });
  });

  it('is replaced by another for the next write', async () => {
    const sign = join(folder, 'tried');
    const write = program(`
      import { existsSync, writeFileSync } from 'node:fs';
      import { parentPort } from 'node:worker_threads';
      parentPort.on('message', (writes) => {
        if (existsSync(${JSON.stringify(sign)})) return parentPort.postMessage(writes.map(() => undefined));
        writeFileSync(${JSON.stringify(sign)}, '');
        throw new Error('broken');
      });`);
    await expect(write(join(folder, 'a'), 'a')).rejects.toThrow('broken');
    await expect(write(join(folder, 'a'), 'a')).resolves.toBeUndefined();
  });
});

describe('durable remove and rename', () => {
  it('removals at the same time each say whether there was a file', async () => {
    const paths = Array.from({ length: 5 }, (_, n) => join(folder, `gone-${n}`));
    for (const path of paths) writeFileSync(path, '');
    expect(await Promise.all(paths.map((path) => removeFileDurable(path)))).toEqual(paths.map(() => true));
    expect(await Promise.all(paths.map((path) => removeFileDurable(path)))).toEqual(paths.map(() => false));
  });

  it('knows its own left-overs', () => {
    expect(isUnfinishedWrite('.key.tmp-0011223344556677')).toBe(true);
    expect(isUnfinishedWrite('deviceid-00.key')).toBe(false);
    expect(isUnfinishedWriteOf('.key.tmp-0011223344556677', '/x/key')).toBe(true);
    expect(isUnfinishedWriteOf('.other.tmp-0011223344556677', '/x/key')).toBe(false);
    expect(isUnfinishedWriteOf('.key.tmp-notes', '/x/key')).toBe(false);
  });

  it('says whether there was a file', async () => {
    await writeFileDurable(join(folder, 'a'), 'a');
    expect(await removeFileDurable(join(folder, 'a'))).toBe(true);
    expect(await removeFileDurable(join(folder, 'a'))).toBe(false);
  });

  it('replaces the target', async () => {
    await writeFileDurable(join(folder, 'a'), 'a');
    await writeFileDurable(join(folder, 'b'), 'b');
    await renameDurable(join(folder, 'a'), join(folder, 'b'));
    expect(existsSync(join(folder, 'a'))).toBe(false);
    expect(readFileSync(join(folder, 'b'), 'utf8')).toBe('a');
  });
});

describe('file names of ids', () => {
  it.each(vectors.cases)('KS-043, KS-054, CS-062: "$id"', ({ id, name }) => {
    expect(objectFileName(id, '.key')).toBe(`${name}.key`);
    expect(objectFileName(id, '.cer')).toBe(`${name}.cer`);
  });
});
