import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Type from 'typebox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createLogger } from '../process/index.ts';
import { configPaths, endpointsFrom, loadConfig, MAX_REQUESTS, UID, watchConfig } from './index.ts';

const schema = Type.Object({
  homedir_path: Type.String(),
  max_requests: MAX_REQUESTS,
  names: Type.Optional(Type.Record(Type.String(), Type.String())),
  principal: Type.Optional(Type.Array(Type.Object({ uid: UID, keys: Type.Array(Type.String()) }))),
});

let root: string;
let paths: { mainFile: string; directory: string };
const put = (name: string, text: string | Buffer) => writeFileSync(join(root, name), text);
const load = () => loadConfig({ ...paths, schema });

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'config-'));
  mkdirSync(join(root, 'config.d'));
  paths = { mainFile: join(root, 'config.toml'), directory: join(root, 'config.d') };
});
afterEach(() => rmSync(root, { recursive: true }));

describe('merge of drop-ins', () => {
  it('TR-045: drop-ins apply in byte order of their paths, the last scalar wins', async () => {
    put('config.toml', 'homedir_path = "/main"');
    put('config.d/9-b.toml', 'homedir_path = "/nine"');
    put('config.d/10-a.toml', 'homedir_path = "/ten"');
    expect((await load()).value.homedir_path).toBe('/nine');
  });

  it('TR-046: arrays of tables are appended in order', async () => {
    put('config.toml', 'homedir_path = "/h"\n[[principal]]\nuid = 1\nkeys = ["a"]');
    put('config.d/1.toml', '[[principal]]\nuid = 2\nkeys = ["b"]');
    put('config.d/2.toml', '[[principal]]\nuid = 1\nkeys = ["c"]');
    expect((await load()).value.principal?.map((entry) => entry.keys[0])).toEqual(['a', 'b', 'c']);
  });

  it('TR-047, TR-048: other extensions, folders, symlinks and a bare .toml do not count', async () => {
    put('config.toml', 'homedir_path = "/h"');
    put('config.d/x.TOML', 'broken = ');
    put('config.d/x.toml.bak', 'broken = ');
    put('config.d/.toml', 'broken = ');
    mkdirSync(join(root, 'config.d/y.toml'));
    put('other', 'homedir_path = "/linked"');
    symlinkSync(join(root, 'other'), join(root, 'config.d/z.toml'));
    expect((await load()).value.homedir_path).toBe('/h');
  });

  it('a missing main file is an empty table', async () => {
    put('config.d/a.toml', 'homedir_path = "/h"\nmax_requests = 0x1_0');
    expect((await load()).value).toMatchObject({ homedir_path: '/h', max_requests: 16 });
  });

  it('a key named __proto__ changes no prototype', async () => {
    put('config.toml', 'homedir_path = "/h"\n[__proto__]\npolluted = "x"');
    await load();
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });
});

describe('what is wrong is named', () => {
  it('TR-050: a syntax error names its file, line and column', async () => {
    put('config.toml', 'homedir_path = "/h"');
    put('config.d/b.toml', 'x = 1\ny = = 2');
    await expect(load()).rejects.toThrow(/config\.d\/b\.toml:2:\d+: not valid TOML/);
  });

  it('not UTF-8 names the file', async () => {
    put('config.toml', Buffer.from([0x61, 0xff]));
    await expect(load()).rejects.toThrow(/config\.toml: not UTF-8/);
  });

  it('TR-044: a missing required key is named', async () => {
    await expect(load()).rejects.toThrow('key "homedir_path" is missing');
  });

  it.each(['-1', '"x"', '0', '5.0'])(
    'TR-032, TR-033: max_requests = %s is refused with file, line and key',
    async (value) => {
      put('config.toml', `homedir_path = "/h"\nmax_requests = ${value}`);
      await expect(load()).rejects.toThrow(/config\.toml:2: key "max_requests" .*; it is a (number|string)/);
    },
  );

  it('TR-049: a scalar in place of a table is refused', async () => {
    put('config.toml', 'homedir_path = "/h"\n[names]\na = "b"');
    put('config.d/a.toml', '\nnames = 5');
    await expect(load()).rejects.toThrow(/a\.toml:2: key "names"/);
  });

  it('a wrong type inside the second array entry, in another file', async () => {
    put('config.toml', 'homedir_path = "/h"\n[[principal]]\nuid = 1\nkeys = []');
    put('config.d/a.toml', '[[principal]]\nkeys = []\nuid = "root"');
    await expect(load()).rejects.toThrow(/a\.toml:3: key "principal\[1\]\.uid"/);
  });

  it('an unknown key is a warning with file, line and the key meant', async () => {
    put('config.toml', 'homedir_path = "/h"\n\nmax_request = 5\n[[principal]]\nuid = 1\nkeys = []\nkyes = []');
    const { warnings } = await load();
    expect(warnings).toEqual([
      expect.stringMatching(/config\.toml:3: key "max_request" is not known .*"max_requests"/),
      expect.stringMatching(/config\.toml:7: key "principal\[0\]\.kyes" is not known .*"keys"/),
    ]);
  });
});

describe('paths and endpoints', () => {
  it('environment beats the default places', () => {
    expect(configPaths('certd', { AZIOT_CERTD_CONFIG: '/c', AZIOT_CERTD_CONFIG_DIR: '/d' })).toEqual({
      mainFile: '/c',
      directory: '/d',
    });
    expect(configPaths('keyd', {})).toEqual({
      mainFile: '/etc/aziot/keyd/config.toml',
      directory: '/etc/aziot/keyd/config.d',
    });
  });

  it('TR-041, TR-042: only an absolute unix:// endpoint counts, all else is warned about', () => {
    const warnings: string[] = [];
    const endpoints = endpointsFrom(
      { aziot_keyd: 'unix:///tmp/a%20b.sock', aziot_certd: 'http://localhost:80', aziot_identityd: 5 },
      (message) => warnings.push(message),
    );
    expect(endpoints).toEqual({
      keyd: '/tmp/a b.sock',
      certd: '/run/aziot/certd.sock',
      identityd: '/run/aziot/identityd.sock',
      tpmd: '/run/aziot/tpmd.sock',
    });
    expect(warnings).toHaveLength(2);
  });
});

describe('watch', () => {
  const log = createLogger({ target: 't', filter: 'off', write: () => undefined, now: Date.now });
  const until = async (check: () => boolean) => {
    for (let i = 0; i < 200 && !check(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(check()).toBe(true);
  };

  it('notices a file replaced by rename twice, a folder made later, and coalesces a burst', async () => {
    rmSync(paths.directory, { recursive: true });
    put('config.toml', 'a = 1');
    let calls = 0;
    const onChange = async () => {
      calls++;
    };
    const watching = watchConfig({ ...paths, log, debounceMs: 50, onChange });
    for (const round of [1, 2]) {
      put('new', 'a = 2');
      renameSync(join(root, 'new'), paths.mainFile);
      await until(() => calls === round);
    }
    mkdirSync(paths.directory);
    await until(() => calls === 3);
    for (const name of ['a', 'b', 'c']) put(`config.d/${name}.toml`, 'x = 1');
    await until(() => calls === 4);
    await new Promise((resolve) => setTimeout(resolve, 120));
    expect(calls).toBe(4);
    watching.close();
  });
});
