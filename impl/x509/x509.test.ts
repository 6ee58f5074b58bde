import { execFileSync } from 'node:child_process';
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import {
  basicConstraints,
  type Certificate,
  CLIENT_AUTH,
  CsrError,
  commonNameEntries,
  createCsr,
  dnsNames,
  encodeName,
  extendedKeyUsage,
  formatChain,
  issueCertificate,
  keyUsage,
  orderChain,
  Pkcs7Error,
  parseChain,
  parseCsr,
  readCertificate,
  readCertsOnlyPkcs7,
  softwareSigner,
  subjectTableEntries,
  type WantedExtension,
} from './index.ts';

const folder = mkdtempSync(join(tmpdir(), 'x509-'));
afterAll(() => rmSync(folder, { recursive: true }));
const NOW = Date.UTC(2026, 5, 1, 12, 0, 0);
const DAY = 86_400;

function openssl(...args: string[]): string {
  return execFileSync('openssl', args, { cwd: folder, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function file(name: string, content: string | Buffer): string {
  writeFileSync(join(folder, name), content);
  return name;
}

function keys(kind: 'p256' | 'p384' | 'rsa' = 'p256') {
  const { privateKey, publicKey } =
    kind === 'rsa'
      ? generateKeyPairSync('rsa', { modulusLength: 2048 })
      : generateKeyPairSync('ec', { namedCurve: kind === 'p256' ? 'prime256v1' : 'secp384r1' });
  return { privateKey, publicKey, signer: softwareSigner(privateKey, publicKey) };
}

async function issue(options: {
  leaf?: ReturnType<typeof keys>;
  extensions?: WantedExtension[];
  issuer?: { signer: ReturnType<typeof keys>['signer']; chain: Certificate[] };
  days?: number;
  now?: number;
  subject?: Buffer;
}) {
  const leaf = options.leaf ?? keys();
  const csr = await parseCsr(
    await createCsr({
      subject: [
        ['CN', 'leaf'],
        ['O', 'Test'],
      ],
      ...(options.extensions ? { extensions: options.extensions } : {}),
      signer: leaf.signer,
    }),
  );
  const issued = await issueCertificate({
    csr,
    ...(options.subject ? { subject: options.subject } : {}),
    issuerChain: options.issuer?.chain ?? [],
    signer: options.issuer?.signer ?? leaf.signer,
    now: options.now ?? NOW,
    lifetimeSeconds: (options.days ?? 30) * DAY,
    serial: randomBytes(16),
  });
  return readCertificate(issued.der);
}

async function authority(kind: 'p256' | 'p384' | 'rsa' = 'p256', days = 365) {
  const leaf = keys(kind);
  const cert = await issue({ leaf, days, extensions: [basicConstraints({}), keyUsage('keyCertSign', 'cRLSign')] });
  return { signer: leaf.signer, chain: [cert] };
}

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

test('CS-047 a request without extensions gets key identifiers only, and openssl accepts the chain', async () => {
  const ca = await authority();
  const leaf = await issue({ issuer: ca, now: Date.now() });
  file('ca.pem', formatChain(ca.chain));
  expect(openssl('verify', '-no_check_time', '-CAfile', 'ca.pem', file('leaf.pem', formatChain([leaf])))).toContain(
    'leaf.pem: OK',
  );
  const text = openssl(
    'x509',
    '-in',
    'leaf.pem',
    '-noout',
    '-ext',
    'subjectKeyIdentifier,authorityKeyIdentifier,basicConstraints',
  );
  expect(text).toContain('Subject Key Identifier');
  expect(text).toContain('Authority Key Identifier');
  expect(text).not.toContain('Basic Constraints');
  expect(leaf.x509.checkIssued(ca.chain[0]!.x509)).toBe(true);
});

test.each(['p256', 'p384', 'rsa'] as const)('CS-052 a %s authority signs with SHA-256', async (kind) => {
  const ca = await authority(kind);
  const leaf = await issue({ issuer: ca });
  expect(leaf.x509.verify(ca.chain[0]!.x509.publicKey)).toBe(true);
  expect(leaf.x509.signatureAlgorithm).toBe(kind === 'rsa' ? 'sha256WithRSAEncryption' : 'ecdsa-with-SHA256');
});

test('CS-046 extensions of the request come first, unchanged', async () => {
  const leaf = await issue({
    issuer: await authority(),
    extensions: [basicConstraints({ pathLength: 0 }), dnsNames('dev.example')],
  });
  const text = openssl('x509', '-in', file('ca-true.pem', formatChain([leaf])), '-noout', '-text');
  expect(text).toMatch(
    /Basic Constraints: critical\s+CA:TRUE, pathlen:0[\s\S]*DNS:dev\.example[\s\S]*Subject Key[\s\S]*Authority Key/,
  );
});

test('CS-045 an own SubjectKeyIdentifier is kept once', async () => {
  const own = { oid: '2.5.29.14', value: Buffer.from('0404deadbeef', 'hex') };
  const leaf = await issue({ extensions: [own] });
  expect(leaf.subjectKeyId?.toString('hex')).toBe('deadbeef');
  const text = openssl('x509', '-in', file('ski.pem', formatChain([leaf])), '-noout', '-text');
  expect(text.match(/Subject Key Identifier/g)).toHaveLength(1);
});

test('an AuthorityKeyIdentifier that names another key is replaced', async () => {
  const ca = await authority();
  const forged = { oid: '2.5.29.35', value: Buffer.from(`30168014${'02'.repeat(20)}`, 'hex') };
  const leaf = await issue({ issuer: ca, extensions: [forged] });
  const text = openssl('x509', '-in', file('aki.pem', formatChain([leaf])), '-noout', '-ext', 'authorityKeyIdentifier');
  expect(text.replaceAll(':', '').toLowerCase()).toContain(ca.chain[0]!.subjectKeyId!.toString('hex'));
  expect(text).not.toContain('02:02:02');
});

test('CS-048 default lifetime is exact, CS-049 never past the issuer', async () => {
  const leaf = await issue({});
  expect([leaf.notBefore, leaf.notAfter]).toEqual([NOW, NOW + 30 * DAY * 1000]);
  const ca = await authority('p256', 10);
  expect((await issue({ issuer: ca, days: 365 })).notAfter).toBe(ca.chain[0]!.notAfter);
});

test('CS-050 an expired authority issues nothing', async () => {
  const ca = await authority('p256', 1);
  await expect(issue({ issuer: ca, now: NOW + 2 * DAY * 1000 })).rejects.toThrow('expired');
});

test('the signing key must be the one of the issuer certificate', async () => {
  const ca = await authority();
  await expect(issue({ issuer: { chain: ca.chain, signer: keys().signer } })).rejects.toThrow('does not belong');
});

test('validity past the year 9999 is refused', async () => {
  await expect(issue({ days: 4294967295 })).rejects.toThrow('9999');
});

test('times from 2050 are GeneralizedTime', async () => {
  const leaf = await issue({ days: 10_000 });
  expect(leaf.notAfter).toBe(NOW + 10_000 * DAY * 1000);
  expect(leaf.der.includes(Buffer.from('20531017120000Z'))).toBe(true);
});

test('CS-051 serial numbers are positive and differ', async () => {
  const serials = new Set<string>();
  const leaf = keys();
  for (let count = 0; count < 50; count++) {
    const { serialNumber } = (await issue({ leaf })).x509;
    expect(serialNumber).toMatch(/^[4-7][0-9A-F]{31}$/);
    serials.add(serialNumber);
  }
  expect(serials.size).toBe(50);
});

test('CS-053 a common name is cut to 64 characters', () => {
  expect(commonNameEntries('é'.repeat(70))).toEqual([['CN', 'é'.repeat(64)]]);
  expect(subjectTableEntries({ cn: 'x'.repeat(70) })).toEqual([['cn', 'x'.repeat(64)]]);
  expect(() => encodeName(subjectTableEntries({ commonName: 'x'.repeat(65) }))).toThrow('65 characters');
});

test('CS-054 a subject table is in byte order of its keys', async () => {
  const table = {
    C: 'DE',
    O: 'Org',
    emailAddress: 'a@b',
    DC: 'ex',
    serialNumber: '42',
    dnQualifier: 'q',
    '2.5.4.42': 'Given',
  };
  const subject = encodeName(subjectTableEntries(table));
  const leaf = await issue({ subject });
  const text = openssl(
    'x509',
    '-in',
    file('dn.pem', formatChain([leaf])),
    '-noout',
    '-subject',
    '-nameopt',
    'RFC2253,-dn_rev,show_type',
  );
  expect(text.trim()).toBe(
    'subject=GN=UTF8STRING:Given,C=PRINTABLESTRING:DE,DC=IA5STRING:ex,O=UTF8STRING:Org,dnQualifier=PRINTABLESTRING:q,emailAddress=IA5STRING:a@b,serialNumber=PRINTABLESTRING:42',
  );
});

test('CS-055 attribute names ignore case', () => {
  expect(encodeName([['cn', 'x']])).toEqual(encodeName([['CN', 'x']]));
});

test.each([
  ['CS-056 nosuch', 'x'],
  ['C', 'DEU'],
  ['O', 'o'.repeat(65)],
  ['CN', ''],
  ['emailAddress', 'é@example'],
  ['serialNumber', 'a_b'],
  ['9.9.9', 'x'],
])('the attribute %s does not take the value', (name, value) => {
  expect(() => encodeName([[name.split(' ').at(-1)!, value]])).toThrow(`"${name.split(' ').at(-1)}"`);
});

test('a chain is read in file order with text and CRLF around it, and written in 64 columns', async () => {
  const [one, two] = [await issue({}), await issue({})];
  const text = `words\r\n${formatChain([one]).replaceAll('\n', '\r\n')}more\n${formatChain([two])}`;
  const chain = parseChain(text);
  expect(chain.map((entry) => entry.x509.serialNumber)).toEqual([one.x509.serialNumber, two.x509.serialNumber]);
  expect(
    Math.max(
      ...formatChain(chain)
        .split('\n')
        .map((line) => line.length),
    ),
  ).toBe(64);
});

test('members joined without a newline, and damaged ones, are errors', async () => {
  const pem = formatChain([await issue({})]);
  expect(() => parseChain(pem.trimEnd() + pem)).toThrow('end line');
  expect(() => parseChain(pem.replace('MII', 'AII'))).toThrow();
  expect(parseChain('no block here')).toEqual([]);
});

async function pkcs7Der(): Promise<{ der: Buffer; certs: Certificate[] }> {
  const ca = await authority();
  const leaf = await issue({ issuer: ca });
  file('p7.pem', formatChain([leaf, ...ca.chain]));
  openssl('crl2pkcs7', '-nocrl', '-certfile', 'p7.pem', '-outform', 'DER', '-out', 'p7.der');
  return { der: readFileSync(join(folder, 'p7.der')), certs: [leaf, ...ca.chain] };
}

test('EST-015 PKCS#7 is read as base64 with any line ends, as PEM, EST-016 and as DER', async () => {
  const { der, certs } = await pkcs7Der();
  openssl('pkcs7', '-inform', 'DER', '-in', 'p7.der', '-out', 'p7out.pem');
  const base64 = der.toString('base64');
  const forms = [base64, base64.replace(/.{76}/g, '$&\r\n'), readFileSync(join(folder, 'p7out.pem'), 'utf8')];
  for (const body of [...forms.map((text) => Buffer.from(text)), der]) {
    expect(readCertsOnlyPkcs7(body)).toEqual(certs.map((cert) => cert.der));
  }
});

test('PKCS#7 faults have names', async () => {
  const { der } = await pkcs7Der();
  const fault = (body: Buffer) => {
    try {
      readCertsOnlyPkcs7(body);
      return 'none';
    } catch (error) {
      return error instanceof Pkcs7Error ? error.fault : String(error);
    }
  };
  expect(fault(Buffer.from(''))).toBe('not-pkcs7');
  expect(fault(Buffer.from('M*=='))).toBe('not-pkcs7');
  expect(fault(der.subarray(0, 100))).toBe('not-pkcs7');
  expect(fault(Buffer.from('300f06092a864886f70d010701a0020400', 'hex'))).toBe('not-signed-data');
  const empty = Buffer.from(
    '3023' + '06092a864886f70d010702' + 'a0163014' + '020101' + '3100' + '300b06092a864886f70d010701' + '3100',
    'hex',
  );
  expect(fault(Buffer.concat([Buffer.of(0x30, empty.length - 2), empty.subarray(2)]))).toMatch(
    /no-certificates|not-pkcs7/,
  );
  openssl('crl2pkcs7', '-nocrl', '-outform', 'DER', '-out', 'empty.der');
  expect(fault(readFileSync(join(folder, 'empty.der')))).toBe('no-certificates');
});

test('EST-024 EST-026 the leaf comes first, then its issuers, each once; strangers are dropped', async () => {
  const root = await authority();
  const middle = keys();
  const intermediate = await issue({
    leaf: middle,
    issuer: root,
    extensions: [basicConstraints({})],
    subject: encodeName([['CN', 'middle']]),
  });
  const own = keys();
  const leaf = await issue({ leaf: own, issuer: { signer: middle.signer, chain: [intermediate] } });
  const stranger = await issue({ subject: encodeName([['CN', 'TEST stranger']]), extensions: [basicConstraints({})] });
  const ordered = orderChain([intermediate, leaf], [stranger, ...root.chain, intermediate, leaf], own.publicKey);
  expect(ordered).toEqual([leaf, intermediate, root.chain[0]]);
});

test('roll-over certificates of the root stay behind the chain, a second leaf does not', async () => {
  const subject = encodeName([['CN', 'TEST root']]);
  const [oldKey, newKey, own] = [keys(), keys(), keys()];
  const ca = [basicConstraints({}), keyUsage('keyCertSign', 'cRLSign')];
  const oldRoot = await issue({ leaf: oldKey, subject, extensions: ca });
  const newRoot = await issue({ leaf: newKey, subject, extensions: ca });
  const crossed = (leaf: ReturnType<typeof keys>, by: ReturnType<typeof keys>, root: Certificate) =>
    issue({ leaf, subject, extensions: ca, issuer: { signer: by.signer, chain: [root] } });
  const oldWithNew = await crossed(oldKey, newKey, newRoot);
  const newWithOld = await crossed(newKey, oldKey, oldRoot);
  const leaf = await issue({ leaf: own, issuer: { signer: newKey.signer, chain: [newRoot] } });
  const another = await issue({ issuer: { signer: newKey.signer, chain: [newRoot] } });
  const stranger = await authority();
  const received = [oldRoot, oldWithNew, newWithOld, another, ...stranger.chain, newRoot];
  const ordered = orderChain([leaf], received, own.publicKey);
  expect(ordered[0]).toBe(leaf);
  expect(new Set(ordered)).toEqual(new Set([leaf, newRoot, newWithOld, oldRoot, oldWithNew]));
});

test('without the issuer of the leaf nothing is known about the rest, and it stays', async () => {
  const [own, root] = [keys(), await authority()];
  const leaf = await issue({ leaf: own, issuer: root });
  const other = await issue({
    leaf: keys(),
    subject: encodeName([['CN', 'TEST other']]),
    extensions: [basicConstraints({})],
  });
  expect(orderChain([leaf], [other], own.publicKey)).toEqual([leaf, other]);
});

test('EST-025 a certificate for another key is refused', async () => {
  const cert = await issue({});
  expect(() => orderChain([cert], [], keys().publicKey)).toThrow('key of the request');
});
