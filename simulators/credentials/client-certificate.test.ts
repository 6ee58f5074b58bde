import { beforeAll, describe, expect, test } from 'vitest';
import { checkChain, checkThumbprint } from './client-certificate.ts';
import { issueTestCertificate, type TestCertificateInput, type TestCredential } from './testing.ts';

let root: TestCredential;
let issuing: TestCredential;
let otherRoot: TestCredential;

const client = (changes: Partial<TestCertificateInput> = {}) =>
  issueTestCertificate({ commonName: 'Dev-X', role: 'client', issuer: issuing, ...changes });
const expected = () => ({ commonName: 'Dev-X', now: Date.now() });
const reason = (verdict: { verified: true } | { verified: false; reason: string }) =>
  verdict.verified ? 'verified' : verdict.reason;

beforeAll(() => {
  root = issueTestCertificate({ commonName: 'TEST root', role: 'authority' });
  issuing = issueTestCertificate({ commonName: 'TEST issuing', role: 'authority', issuer: root });
  otherRoot = issueTestCertificate({ commonName: 'TEST root', role: 'authority' });
});

describe('CL-056 chains', () => {
  test('a leaf leads to the root over the issuing authority, or stops there when that is enrolled', () => {
    const { chain } = client();
    expect(chain).toHaveLength(2);
    expect(checkChain(chain, [root.pem], expected())).toMatchObject({ verified: true, depth: 2 });
    expect(checkChain(chain, [issuing.pem], expected())).toMatchObject({ verified: true, depth: 1 });
    expect(checkChain(chain, [root.pem, issuing.pem], expected())).toMatchObject({ depth: 1 });
  });

  test('without the issuing authority the way is missing', () => {
    const { chain } = client();
    expect(reason(checkChain(chain.slice(0, 1), [root.pem], expected()))).toMatch(/no enrolled authority/);
  });

  test('another authority of the same name is another authority', () => {
    const { chain } = client();
    expect(reason(checkChain(chain, [otherRoot.pem], expected()))).toMatch(/no enrolled authority/);
    expect(reason(checkChain(chain, [], expected()))).toMatch(/no enrolled authority/);
  });

  test('a client certificate issues nothing', () => {
    const parent = client({ commonName: 'Dev-P' });
    const child = client({ issuer: parent });
    expect(reason(checkChain(child.chain, [root.pem], expected()))).toMatch(/no enrolled authority/);
    expect(reason(checkChain(child.chain, [parent.pem], expected()))).toMatch(/no enrolled authority/);
  });

  test('the path length of an authority counts', () => {
    const short = issueTestCertificate({ commonName: 'TEST short', role: 'authority', pathLength: 0 });
    const below = issueTestCertificate({ commonName: 'TEST below', role: 'authority', issuer: short });
    const direct = client({ issuer: short });
    const deep = client({ issuer: below });
    expect(checkChain(direct.chain, [short.pem], expected()).verified).toBe(true);
    expect(checkChain(deep.chain, [short.pem], expected()).verified).toBe(false);
  });

  test('an expired authority issues nothing', () => {
    const old = issueTestCertificate({ commonName: 'TEST old', role: 'authority', fromDay: -10, toDay: -1 });
    const { chain } = client({ issuer: old });
    expect(checkChain(chain, [old.pem], expected()).verified).toBe(false);
  });

  test.each<[string, Partial<TestCertificateInput>, RegExp]>([
    ['expired', { fromDay: -10, toDay: -1 }, /expired/],
    ['not yet valid', { fromDay: 1 }, /not yet valid/],
    ['a server certificate', { role: 'server' }, /not for clients/],
    ['of another name', { commonName: 'Dev-Y' }, /'Dev-Y' is not 'Dev-X'/],
    ['of the same name in other letters', { commonName: 'dev-x' }, /'dev-x' is not 'Dev-X'/],
  ])('%s: refused', (_, changes, why) => {
    const { chain, pem } = client(changes);
    expect(reason(checkChain(chain, [root.pem], expected()))).toMatch(why);
    const thumbprint = chain[0]!.fingerprint256.replaceAll(':', '');
    expect(reason(checkThumbprint(chain, [thumbprint], expected()))).toMatch(why);
    expect(pem).toContain('BEGIN CERTIFICATE');
  });

  test('no certificate: refused', () => {
    expect(reason(checkChain([], [root.pem], expected()))).toBe('no certificate');
    expect(reason(checkThumbprint([], ['AB'.repeat(20)], expected()))).toBe('no certificate');
  });
});

describe('thumbprints', () => {
  test('SHA-1 and SHA-256, primary or secondary', () => {
    const { chain } = client();
    const sha1 = chain[0]!.fingerprint.replaceAll(':', '');
    const sha256 = chain[0]!.fingerprint256.replaceAll(':', '');
    const other = 'AB'.repeat(32);
    expect(checkThumbprint(chain, [sha1], expected())).toEqual({ verified: true, by: 'thumbprint' });
    expect(checkThumbprint(chain, [other, sha256], expected()).verified).toBe(true);
    expect(reason(checkThumbprint(chain, [other], expected()))).toMatch(/not the enrolled one/);
    expect(checkThumbprint(chain, [], expected()).verified).toBe(false);
  });

  test('the name does not matter where none is expected', () => {
    const { chain } = client({ commonName: 'whoever' });
    const sha256 = chain[0]!.fingerprint256.replaceAll(':', '');
    expect(checkThumbprint(chain, [sha256], { commonName: undefined, now: Date.now() }).verified).toBe(true);
  });
});
