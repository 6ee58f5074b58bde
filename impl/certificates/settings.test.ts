import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { toUid } from '../ipc/index.ts';
import { mayWrite } from './principals.ts';
import { loadSettings } from './settings-read.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'certd-settings-'));
  mkdirSync(join(folder, 'config.d'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function load(text: string, dropIns: Record<string, string> = {}, home = 'homedir_path = "/h"\n') {
  writeFileSync(join(folder, 'config.toml'), home + text);
  for (const [name, content] of Object.entries(dropIns)) writeFileSync(join(folder, 'config.d', name), content);
  return loadSettings({ mainFile: join(folder, 'config.toml'), directory: join(folder, 'config.d') });
}

const renew = (threshold: string) => `[cert_issuance.est]\nidentity_auto_renew = { threshold = ${threshold} }`;

describe('refused', () => {
  test.each([
    ['CS-057 expiry 0', '[cert_issuance]\nx = { method = "self_signed", expiry_days = 0 }'],
    ['negative expiry', '[cert_issuance]\nx = { method = "self_signed", expiry_days = -1 }'],
    ['expiry as text', '[cert_issuance]\nx = { method = "self_signed", expiry_days = "1" }'],
    ['expiry beyond 32 bits', '[cert_issuance]\nx = { method = "self_signed", expiry_days = 4294967296 }'],
    ['unknown method', '[cert_issuance]\nx = { method = "nosuch" }'],
    ['method of a wrong type', '[cert_issuance]\nx = { method = 1 }'],
    ['no method', '[cert_issuance]\nx = { expiry_days = 1 }'],
    ['entry as text', '[cert_issuance]\nx = "est"'],
    ['half a local CA', '[cert_issuance.local_ca]\ncert = "x"'],
    ['CS-068 bare path', '[preloaded_certs]\np = "/bare/path"'],
    ['preloaded number', '[preloaded_certs]\np = 1'],
    ['half a principal', '[[principal]]\nuid = 1'],
    ['negative uid', '[[principal]]\nuid = -1\ncerts = []'],
    ['no URL', '[cert_issuance.est.urls]\ndefault = "not a url"'],
    ['RN-002 bad policy', renew('"5 min"')],
    ['RN-002 policy as number', renew('80')],
  ])('%s', async (_name, text) => {
    await expect(load(text)).rejects.toThrow(/config\.toml:\d+: key/);
  });

  test('CS-058 no homedir_path', async () => {
    await expect(load('', {}, '')).rejects.toThrow('homedir_path');
  });
});

describe('taken, with a warning that names file, line and key', () => {
  test.each([
    ['CS-078 unknown key', 'nosuch = 1', /config\.toml:2: key "nosuch"/],
    ['EST-046 query', '[cert_issuance.est.urls]\ndefault = "https://h/?x=1"', /urls\.default" has a query/],
    ['EST-045 http', '[cert_issuance.est.urls]\ndefault = "http://h/"', /no TLS/],
    ['own http URL', '[cert_issuance]\nx = { method = "est", url = "http://h/" }', /x\.url" has no TLS/],
    ['half basic', '[cert_issuance.est]\nusername = "u"', /username" has no effect without password/],
    [
      'half identity',
      '[cert_issuance]\nx = { method = "est", identity_pk = "k" }',
      /identity_pk" has no effect without identity_cert/,
    ],
    [
      'bootstrap alone',
      '[cert_issuance.est]\nbootstrap_identity_cert = "a"\nbootstrap_identity_pk = "b"',
      /without identity_cert/,
    ],
    ['half in auth table', '[cert_issuance.est.auth]\nusername = "u"', /username" has no effect without password/],
    [
      'subject not of strings',
      '[cert_issuance]\nx = { method = "local_ca", subject = { CN = 5 } }',
      /x\.subject" is not a table of strings/,
    ],
    [
      'both subjects',
      '[cert_issuance]\nx = { method = "local_ca", common_name = "a", subject = { CN = "b" } }',
      /subject" has no effect beside/,
    ],
    ['CS-068 other scheme', '[preloaded_certs]\np = "https://h/x.pem"', /p" cannot be read/],
    ['other host', '[preloaded_certs]\np = "file://other/x.pem"', /p" cannot be read/],
    ['CS-079 endpoints', '[endpoints]\naziot_certd = "http://127.0.0.1:1"', /endpoints\.aziot_certd/],
    ['endless policy', renew('"9223372036854775807day"'), /too long a time/],
  ])('%s', async (_name, text, warning) => {
    const { warnings } = await load(text);
    expect(warnings.join('\n')).toMatch(warning);
  });
});

test('CS-059 CS-060 CS-061 drop-ins in order, scalars replaced, arrays joined, other files ignored', async () => {
  const { settings } = await load(
    '[preloaded_certs]\np = "file:///none"\nq = ["a"]\n',
    {
      '05.toml': 'homedir_path = "/from-drop-in"',
      '10.toml': '[preloaded_certs]\np = "file:///ten"\nq = ["b"]\n',
      '20.toml': '[preloaded_certs]\np = "file:///twenty"\n',
      'x.TOML': 'broken [',
      'x.toml.bak': 'broken [',
    },
    '',
  );
  expect(settings.homedir).toBe('/from-drop-in');
  expect(settings.preloaded.get('p')).toEqual({ kind: 'file', path: '/twenty' });
  expect(settings.preloaded.get('q')).toEqual({ kind: 'bundle', members: ['a', 'b'] });
});

test('CS-015 CS-016 CS-017 CS-014 principals of one uid are united, root needs none', async () => {
  const { settings } = await load('[[principal]]\nuid = 7\ncerts = ["dev*"]\n', {
    'a.toml': '[[principal]]\nuid = 7\ncerts = ["a?c"]\n',
  });
  const may = (uid: number, id: string) => mayWrite(settings.principals, toUid(uid), id);
  expect(['device-id', 'abc'].map((id) => may(7, id))).toEqual([true, true]);
  expect(['xdev', 'Device', 'ac', 'abbc'].map((id) => may(7, id))).toEqual([false, false, false, false]);
  expect([may(8, 'abc'), may(0, 'anything')]).toEqual([false, true]);
});

test('the sub-table auth counts where the direct keys say nothing', async () => {
  const { settings, warnings } = await load(
    '[cert_issuance.est]\nusername = "u"\n[cert_issuance.est.auth]\nusername = "other"\npassword = "p"\n',
  );
  expect(settings.est.auth.basic).toEqual({ username: 'u', password: 'p' });
  expect(warnings.join()).toMatch(/auth\.username" has no effect/);
  expect(warnings.join()).not.toMatch(/not known/);
});

test('CS-069 a cycle of bundles is an error in the log that names it', async () => {
  const { errors } = await load('[preloaded_certs]\na = ["b", "c"]\nb = []\nc = ["d"]\nd = ["a"]\n');
  expect(errors).toEqual([expect.stringContaining('a -> c -> d -> a')]);
});

test('RN-004 RN-005 renewal keys default one by one', async () => {
  const { settings } = await load(renew('"10day"'));
  expect(settings.est.renewal).toEqual({
    rotateKey: true,
    threshold: { kind: 'time', seconds: 864_000 },
    retry: { kind: 'percent', percent: 4 },
  });
});

test('a drop-in that is a link is skipped, as the reference does', async () => {
  writeFileSync(join(folder, 'elsewhere'), 'broken [');
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'config.d', 'z.toml'));
  await expect(load('')).resolves.toBeDefined();
});
