import { expect, test } from 'vitest';
import { commonNameEntries, encodeName, formatChain, subjectTableEntries } from './index.ts';
import { file, issue, openssl } from './testing/issuing.ts';

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
