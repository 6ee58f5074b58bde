import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keyFile, locateKey } from './key-location.ts';

let keydFolder: string;
beforeEach(async () => {
  keydFolder = await mkdtemp(join(tmpdir(), 'keys-'));
});
afterEach(() => rm(keydFolder, { recursive: true, force: true }));

it('a key file is named by the letters of the id and its digest', () => {
  expect(basename(keyFile('/x', 'device-id'))).toBe(
    'deviceid-bd732105ef89cf8edd2606a5309c8a26b7b5599a4e124a0fe6199b6b2f60e655.key',
  );
});

it('a key is in the token unless its file is there', async () => {
  const store = { keydFolder, token: 'TEST sandbox', preloaded: {} };
  expect(await locateKey('device-id', store)).toEqual({ kind: 'pkcs11', token: 'TEST sandbox' });
  const path = keyFile(keydFolder, 'device-id');
  await mkdir(dirname(path));
  await writeFile(path, 'key');
  expect(await locateKey('device-id', store)).toEqual({ kind: 'file', path });
});

it('a preloaded key is where the configuration puts it; without a token every key is a file', async () => {
  const store = { keydFolder, token: undefined, preloaded: { boot: 'file:///a%20b/key.pem' } };
  expect(await locateKey('boot', store)).toEqual({ kind: 'file', path: '/a b/key.pem' });
  expect(await locateKey('device-id', store)).toEqual({ kind: 'file', path: keyFile(keydFolder, 'device-id') });
});
