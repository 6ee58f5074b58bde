import { expect, test } from 'vitest';
import { basicConstraints, dnsNames, formatChain } from './index.ts';
import { authority, DAY, file, issue, keys, NOW, openssl } from './testing/issuing.ts';

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
