import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { DerError, readCarefully, readDer } from './der.ts';
import {
  basicConstraints,
  createCsr,
  dnsNames,
  issueCertificate,
  keyUsage,
  parseCsr,
  softwareSigner,
} from './index.ts';
import { readPlainDer } from './plain-der.ts';

let samples: Buffer[];

beforeAll(async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const signer = softwareSigner(privateKey, publicKey);
  const extensions = [basicConstraints({}), keyUsage('keyCertSign'), dnsNames('one.example', 'two.example')];
  const csr = await parseCsr(await createCsr({ subject: [['CN', 'Größe']], extensions, signer }));
  const lifetimeSeconds = 40 * 365 * 86_400;
  const certificate = await issueCertificate({
    csr,
    issuerChain: [],
    signer,
    now: 0,
    lifetimeSeconds,
    serial: Buffer.alloc(16, 1),
  });
  samples = [csr.der, certificate.der, csr.publicKeyInfo];
});

test('certificates and requests are plain', () => {
  for (const sample of samples)
    expect(readPlainDer(Uint8Array.from(sample))).toEqual(readCarefully(Uint8Array.from(sample), 'sample'));
});

test('nothing is plain that asn1js reads differently, or refuses', () => {
  const edits = fc.array(fc.tuple(fc.nat(400), fc.nat(255), fc.constantFrom('set', 'insert', 'remove')), {
    maxLength: 3,
  });
  let plain = 0;
  fc.assert(
    fc.property(fc.nat(2), edits, (which, changes) => {
      const bytes = [...(samples[which] ?? [])];
      for (const [at, value, how] of changes) {
        if (how === 'set' && at < bytes.length) bytes[at] = value;
        else bytes.splice(at, how === 'remove' ? 1 : 0, ...(how === 'insert' ? [value] : []));
      }
      const read = readPlainDer(Uint8Array.from(bytes));
      if (!read) return;
      plain++;
      expect(read).toEqual(readCarefully(Uint8Array.from(bytes), 'sample'));
    }),
    { numRuns: 20_000 },
  );
  expect(plain).toBeGreaterThan(1000);
});

test('small elements are read alike', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
      const read = readPlainDer(bytes);
      if (read) expect(read).toEqual(readCarefully(bytes, 'sample'));
    }),
    { numRuns: 50_000 },
  );
});

test.each([
  ['cut', '300a0201'],
  ['followed by others', '0500ff'],
  ['an endless length', '308000'],
  ['deeper than the limit', `${'3080'.repeat(40)}`],
])('what is %s is an error of the careful reader', (_, hex) => {
  expect(() => readDer(Buffer.from(hex, 'hex'), 'sample')).toThrow(DerError);
});

test('indefinite lengths and long forms are left to asn1js, which takes them', () => {
  for (const hex of ['30800201010000', '3081030201 01'.replace(' ', '')]) {
    const bytes = Buffer.from(hex, 'hex');
    expect(readPlainDer(bytes)).toBeUndefined();
    expect(readDer(bytes, 'sample').children).toHaveLength(1);
  }
});
