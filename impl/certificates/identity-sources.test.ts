import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { identitySources } from './identity-sources.ts';
import { loadSettings } from './settings-read.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sources-'));
});
afterEach(() => rmSync(root, { recursive: true }));

async function sourcesOf(toml: string) {
  writeFileSync(join(root, 'config.toml'), `homedir_path = "/x"\n${toml}`);
  const { settings } = await loadSettings({ mainFile: join(root, 'config.toml'), directory: join(root, 'none') });
  const { sources, warnings } = identitySources(settings);
  return { urls: sources.map(({ identity, url }) => [identity.cert, identity.pk, url]), warnings };
}

const GLOBAL = '[cert_issuance.est]\nidentity_cert = "est-id"\nidentity_pk = "est-id"\n';

test('the global identity is renewed at the URL of its own id', async () => {
  const table = '[cert_issuance.est.urls]\nest-id = "https://a/"\ndefault = "https://b/"\n';
  expect(await sourcesOf(GLOBAL + table)).toEqual({ urls: [['est-id', 'est-id', 'https://a/']], warnings: [] });
});

test('an own identity of a certificate is renewed at that URL, and counts before the global one', async () => {
  const own =
    '[cert_issuance.dev]\nmethod = "est"\nurl = "https://dev/"\nidentity_cert = "est-id"\nidentity_pk = "est-id"\n';
  const other = '[cert_issuance.b]\nmethod = "est"\nurl = "https://b/"\nidentity_cert = "id"\nidentity_pk = "key"\n';
  expect((await sourcesOf(GLOBAL + own + other)).urls).toEqual([
    ['est-id', 'est-id', 'https://dev/'],
    ['id', 'key', 'https://b/'],
  ]);
});

test('RN-037 without a URL it waits for its first use, with a warning', async () => {
  const dev = '[cert_issuance.dev]\nmethod = "est"\nurl = "https://dev/"\n';
  const { urls, warnings } = await sourcesOf(GLOBAL + dev);
  expect([urls, warnings.length]).toEqual([[], 1]);
  expect(warnings[0]).toContain('EST identity "est-id" is renewed only once it has been used');
});

test('basic authentication alone has no identity', async () => {
  expect((await sourcesOf('[cert_issuance.est]\nusername = "u"\npassword = "p"\n')).urls).toEqual([]);
});
