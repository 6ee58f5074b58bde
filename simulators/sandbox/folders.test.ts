import { chmod, chown, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isEnterableByOthers, openFolders, removeTemporary, socketsFit } from './folders.ts';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'folders-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

const uid = process.getuid?.() ?? 0;
const own = { ownUid: uid, hostUid: uid, runtimeDir: undefined };
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

describe('the folders of a sandbox', () => {
  it('lie below the data folder, closed to others, with the sockets in run', async () => {
    const folders = await openFolders({ ...own, dataDir: join(root, 'data') });
    expect(folders.run).toBe(join(root, 'data/run'));
    expect(folders.temporary).toEqual([]);
    for (const folder of [folders.keyd, folders.certd, folders.identityd, folders.cloud]) {
      expect(await modeOf(folder)).toBe(0o700);
    }
  });

  it('are temporary without a data folder, and go at the end', async () => {
    const folders = await openFolders({ ...own, dataDir: undefined });
    expect(folders.temporary).toEqual([folders.base]);
    await removeTemporary(folders);
    await expect(stat(folders.base)).rejects.toThrow(/ENOENT/);
  });

  it('have a short run folder when a socket path would exceed 107 bytes', async () => {
    const folders = await openFolders({ ...own, dataDir: join(root, 'x'.repeat(100)) });
    expect(folders.run).toMatch(/^\/tmp\/aziot-/);
    expect(socketsFit(folders.run)).toBe(true);
    expect(folders.temporary).toEqual([folders.run]);
    await removeTemporary(folders);
  });

  it('are refused where somebody else could change them', async () => {
    await chmod(root, 0o777);
    await expect(openFolders({ ...own, dataDir: root })).rejects.toThrow(/everybody may write .*chmod o-w/);
    await chmod(root, 0o700);
    // root can give the folder away; anybody else can only pretend to be another user
    if (uid === 0) await chown(root, 4242, 4242);
    const ownUid = uid === 0 ? 0 : uid + 1;
    await expect(openFolders({ ...own, ownUid, dataDir: root })).rejects.toThrow(
      /belongs to user \d+; take one of your own/,
    );
  });

  it('count bytes, not letters', () => {
    expect(socketsFit(`/${'a'.repeat(91)}`)).toBe(true);
    expect(socketsFit(`/${'a'.repeat(92)}`)).toBe(false);
    expect(socketsFit(`/${'é'.repeat(46)}`)).toBe(false);
  });

  it('have a run folder that the host process can enter, though the data folder is closed', async () => {
    await chmod(root, 0o700);
    const folders = await openFolders({ ...own, hostUid: 65533, dataDir: join(root, 'data') });
    expect(folders.run).toMatch(/^\/tmp\/aziot-/);
    expect(await isEnterableByOthers(folders.run)).toBe(true);
    expect(await isEnterableByOthers(folders.base)).toBe(false);
    await removeTemporary(folders);
  });
});
