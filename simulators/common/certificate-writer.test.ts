import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createTestPki, type TestPki } from './index.ts';

let folder: string;
let pki: TestPki;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'writer-'));
  pki = await createTestPki();
});
afterEach(() => rmSync(folder, { recursive: true }));

const openssl = (...args: string[]) =>
  execFileSync('openssl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const text = (pem: string) => {
  writeFileSync(join(folder, 'c.pem'), pem);
  return openssl('x509', '-in', join(folder, 'c.pem'), '-noout', '-text');
};
const strictlyVerified = (pem: string, issuerPem: string) => {
  writeFileSync(join(folder, 'c.pem'), pem);
  writeFileSync(join(folder, 'i.pem'), issuerPem);
  writeFileSync(join(folder, 'r.pem'), pki.root.certificatePem);
  return openssl(
    'verify',
    '-x509_strict',
    '-CAfile',
    join(folder, 'r.pem'),
    '-untrusted',
    join(folder, 'i.pem'),
    join(folder, 'c.pem'),
  );
};
const spki = (type: 'ec' | 'rsa' | 'ed25519', size: object) => {
  const make = generateKeyPairSync as unknown as (t: string, o: object) => { publicKey: { export(o: object): string } };
  return make(type, size).publicKey.export({ type: 'spki', format: 'pem' });
};

it.each([
  ['ec', { namedCurve: 'P-384' }, false],
  ['ec', { namedCurve: 'P-521' }, false],
  ['ed25519', {}, false],
  ['rsa', { modulusLength: 2048 }, true],
] as const)('%s %j: key identifier and key usage fit the key', async (type, size, encrypts) => {
  const est = await pki.ca('est');
  const pem = await est.issue({ subject: 'CN=TEST leaf', publicKeyPem: spki(type, size) });
  expect(strictlyVerified(pem, est.chainPem)).toContain('OK');
  expect(text(pem).includes('Key Encipherment')).toBe(encrypts);
  const hash = openssl('x509', '-in', join(folder, 'c.pem'), '-noout', '-ocspid').match(/key OCSP hash: (\w+)/)?.[1];
  const identifier = text(pem).match(/Subject Key Identifier: *\n? *([0-9A-F:]+)/)?.[1];
  expect(identifier?.replaceAll(':', '')).toBe(hash);
});

it('what only an authority may have is not taken from a request, other extensions are', async () => {
  const asks = [
    'keyUsage=critical,keyCertSign,cRLSign',
    'nameConstraints=permitted;DNS:x',
    'tlsfeature=status_request',
    'basicConstraints=critical,CA:TRUE',
  ];
  const at = (name: string) => join(folder, name);
  const request = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    at('k.pem'),
    '-out',
    at('csr.pem'),
  ];
  openssl('req', '-new', ...request, '-subj', '/CN=TEST x', ...asks.flatMap((ask) => ['-addext', ask]));
  const est = await pki.ca('est');
  const pem = await est.issue({ csrPem: readFileSync(at('csr.pem'), 'utf8'), keepCsrExtensions: true });
  expect(strictlyVerified(pem, est.chainPem)).toContain('OK');
  const printed = text(pem);
  for (const absent of ['Certificate Sign', 'CRL Sign', 'Name Constraints', 'CA:TRUE'])
    expect(printed).not.toContain(absent);
  expect(printed).toContain('status_request');
  expect(printed).toContain('Digital Signature');
});

it('an authority below a named one verifies up to the root', async () => {
  const est = await pki.ca('est');
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const pem = await est.issue({
    subject: 'CN=TEST device CA',
    publicKeyPem: publicKey.export({ type: 'spki', format: 'pem' }) as string,
    isCa: true,
  });
  expect(new X509Certificate(pem).ca).toBe(true);
  expect(strictlyVerified(pem, est.chainPem)).toContain('OK');
});

it('the authority named root is the root', async () => {
  expect(await pki.ca('root')).toBe(pki.root);
});
