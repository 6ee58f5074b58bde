import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLIENT_AUTH, CsrError, createCsr, dnsNames, encodeName, extendedKeyUsage, parseCsr } from './index.ts';
import { file, folder, keys, openssl } from './testing/issuing.ts';

test.each(['p256', 'rsa'] as const)(
  'a request of a %s key is accepted by openssl, with its subject in order',
  async (kind) => {
    const pem = await createCsr({
      subject: [
        ['O', 'Org'],
        ['CN', 'dev é'],
      ],
      extensions: [extendedKeyUsage(CLIENT_AUTH), dnsNames('a.example')],
      signer: keys(kind).signer,
    });
    const text = openssl('req', '-in', file('a.csr', pem), '-verify', '-noout', '-text', '-nameopt', 'utf8');
    expect(text).toContain('Subject: O=Org, CN=dev é');
    expect(text).toContain('Version: 1 (0x0)');
    expect(text).toMatch(/TLS Web Client Authentication[\s\S]*DNS:a\.example/);
  },
);

test('a request without extensions has no attribute', async () => {
  const pem = await createCsr({ subject: [['CN', 'x']], signer: keys().signer });
  expect(openssl('req', '-in', file('b.csr', pem), '-noout', '-text')).toMatch(/Attributes:\s+\(none\)/);
});

test('CS-032 the first block counts, whatever label, text before it or CRLF', async () => {
  const pem = await createCsr({ subject: [['CN', 'first']], signer: keys().signer });
  const second = await createCsr({ subject: [['CN', 'second']], signer: keys().signer });
  const changed = `words\n${pem}${second}`
    .replaceAll('CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST')
    .replaceAll('\n', '\r\n');
  expect((await parseCsr(changed)).subject).toEqual(encodeName([['CN', 'first']]));
});

test.each([
  ['rsa', ['-newkey', 'rsa:2048']],
  ['rsa-pss', ['-newkey', 'rsa:2048', '-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:20']],
  ['ed25519', ['-newkey', 'ed25519']],
  ['p521', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-521', '-sha512']],
])('a request that openssl made with %s is verified', async (name, args) => {
  openssl('req', '-new', ...args, '-nodes', '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', '/');
  const csr = await parseCsr(readFileSync(join(folder, `${name}.csr`), 'utf8'));
  expect(csr.subject).toEqual(encodeName([]));
});

test.each([
  ['CS-030 base64 of PEM', (pem: string) => Buffer.from(pem).toString('base64')],
  ['an empty text', () => ''],
  ['another label', (pem: string) => pem.replaceAll('CERTIFICATE REQUEST', 'CERTIFICATE')],
  ['CS-031 a flipped bit', (pem: string) => flipLastOctet(pem)],
])('%s is no usable request', async (_name, change) => {
  const pem = await createCsr({ subject: [['CN', 'x']], signer: keys('rsa').signer });
  await expect(parseCsr(change(pem))).rejects.toThrow(CsrError);
});

function flipLastOctet(pem: string): string {
  const der = Buffer.from(pem.split('\n').slice(1, -2).join(''), 'base64');
  der[der.length - 1] = (der.at(-1) ?? 0) ^ 1;
  return `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString('base64')}\n-----END CERTIFICATE REQUEST-----\n`;
}
