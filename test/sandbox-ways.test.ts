import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { clearKeyFiles, isRunning, leafOf, runOnce, type SandboxDocument, SOFTHSM } from './sandbox-process.ts';

const WAYS = [
  ['dps-x509-est', 'x509'],
  ['dps-x509-local-ca', 'x509'],
  ['dps-symmetric', 'symmetric_key'],
  ['dps-symmetric-group', 'symmetric_key'],
  ['manual-sas', 'sas'],
  ['manual-x509', 'x509'],
] as const;

/** The key pairs that a way makes; its maker's bootstrap key lies in a file of the cloud folder. */
const TOKEN_PAIRS: Readonly<Record<string, readonly string[]>> = {
  'dps-x509-est': ['device-id', 'est-id'],
  'dps-x509-local-ca': ['device-id', 'local-ca'],
  'manual-x509': ['device-id', 'est-id'],
};

let root: string;
let data: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ways-'));
  data = join(root, 'data');
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function opensslVerifies({ pem, caPem }: { pem: string; caPem: string }): string {
  writeFileSync(join(root, 'leaf.pem'), pem);
  writeFileSync(join(root, 'ca.pem'), caPem);
  const args = [
    'verify',
    '-CAfile',
    join(root, 'ca.pem'),
    '-untrusted',
    join(root, 'leaf.pem'),
    join(root, 'leaf.pem'),
  ];
  return execFileSync('openssl', args, { encoding: 'utf8' });
}

/** The labels of the private keys in the sandbox's token, once each was seen as made there and never extractable. */
function keyPairsInToken(): (string | undefined)[] {
  const pin = /pin-value=(\d+)/.exec(readFileSync(join(data, 'keyd/config.toml'), 'utf8'))?.[1];
  const conf = join(data, 'keyd/softhsm/softhsm2.conf');
  const env = { ...process.env, SOFTHSM2_CONF: conf, TOKEN_PIN: pin };
  const args = ['--module', SOFTHSM ?? '', '--token-label', 'TEST sandbox', '--login', '--pin', 'env:TOKEN_PIN', '-O'];
  const listing = execFileSync('pkcs11-tool', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  const keys = listing.split(/\n(?=\S)/).filter((object) => object.startsWith('Private Key Object'));
  for (const key of keys) expect(key).toMatch(/Access:.*always sensitive.*never extractable/);
  return keys.map((key) => /label:\s+(\S+)/.exec(key)?.[1]).sort();
}

function sharedFacts(story: SandboxDocument) {
  expect(story.hub).toMatch(/^localhost:\d+$/);
  expect(story.deviceId).toBe('test-device-01');
  expect(story.host).toEqual({ moduleId: 'agent', sasAccepted: true });
  expect(story.modules.map(({ moduleId }) => moduleId)).toContain('agent');
  for (const { genId } of story.modules) expect(genId).toMatch(/^\d+$/);
  expect(Object.keys(story.timingsMs)).toEqual(
    expect.arrayContaining(['cloud', 'keyd', 'certd', 'identityd', 'provisioning', 'host', 'total']),
  );
  for (const pid of Object.values(story.pid)) expect(isRunning(pid)).toBe(false);
}

describe('the story runs by every way of provisioning', () => {
  it.each(WAYS)('%s', async (way, attestation) => {
    const story = await runOnce(['--provisioning', way, '--data-dir', data]);

    sharedFacts(story);
    expect(story.attestation).toBe(attestation);
    expect(story.keyLocation).toBe(SOFTHSM ? 'pkcs11' : 'file');
    const members = ['hub', 'deviceId', 'attestation', 'keyLocation', 'modules', 'host', 'sockets', 'timingsMs', 'pid'];
    expect(Object.keys(story).sort()).toEqual([...members, ...(attestation === 'x509' ? ['certificate'] : [])].sort());

    if (attestation === 'x509') {
      const { certificate } = story;
      expect(opensslVerifies(certificate!)).toMatch(/leaf\.pem: OK/);
      const leaf = leafOf(certificate!.pem);
      expect(leaf.subject).toContain('CN=test-device-01');
      expect(certificate!.notAfter).toBe(leaf.validToDate.toISOString().replace('.000Z', 'Z'));
      expect(certificate!.subject.split(', ')).toEqual(leaf.subject.split('\n'));
    }
    if (SOFTHSM) {
      const clear = ['keyd', 'certd', 'identityd'].flatMap((daemon) => clearKeyFiles(join(data, daemon)));
      expect(clear).toEqual([]);
      expect(keyPairsInToken()).toEqual(TOKEN_PAIRS[way] ?? []);
      if (attestation === 'x509') {
        // the search finds a key where there is one
        expect(clearKeyFiles(join(data, 'cloud')).length).toBeGreaterThan(0);
      }
    }
  });
});
