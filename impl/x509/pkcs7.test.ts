import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Certificate, formatChain, Pkcs7Error, readCertsOnlyPkcs7 } from './index.ts';
import { authority, file, folder, issue, openssl } from './testing/issuing.ts';

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
