import { describe, expect, test } from 'vitest';
import vectors from '../../fixtures/vectors/sas-tokens.json' with { type: 'json' };
import { checkSasToken, readSasToken, type SasExpectation } from './sas-token.ts';
import { testToken } from './testing.ts';

const KEY = 'bW9jay1pb3QtcHJvdmlzaW9uLWtleQ==';
const OTHER_KEY = Buffer.alloc(32, 9).toString('base64');
const SE = 1767225600;
const REGISTRATION = '0ne00abcdef/registrations/dev-01';
const tokenFor = (wanted: string): string => vectors.made.find(({ name }) => name === wanted)?.token ?? '';
const VECTOR = tokenFor('DPS');

const expected: SasExpectation = {
  resources: ['0ne00ABCDEF/registrations/Dev-01'],
  keys: [OTHER_KEY, KEY],
  policy: { value: 'registration', presence: 'required' },
  now: (SE - 30) * 1000,
};

const reasonFor = (header: string | undefined, changes: Partial<SasExpectation> = {}) => {
  const verdict = checkSasToken(header, { ...expected, ...changes });
  return verdict.verified ? 'verified' : verdict.reason;
};

test('CL-001 the vectors of the spec verify, whatever the case of the ids', () => {
  expect(checkSasToken(VECTOR, expected)).toEqual({ verified: true, by: 'secondary key' });
  const hub = tokenFor('IoT Hub');
  const resources = ['MyHub.azure-devices.net/devices/Dev-01'];
  expect(checkSasToken(hub, { resources, keys: [KEY], policy: 'forbidden', now: expected.now })).toEqual({
    verified: true,
    by: 'primary key',
  });
});

describe('the signature is over the resource as it stands in the token', () => {
  const make = (resource: string) => testToken({ resource, key: KEY, se: SE, skn: 'registration' });

  test.each([
    '0ne00abcdef/registrations/dev-01',
    '0ne00abcdef%2Fregistrations%2Fdev-01',
    '0ne00abcdef%2fregistrations%2fdev-01',
  ])('%s is taken', (resource) => {
    expect(reasonFor(make(resource))).toBe('verified');
  });

  test('a token encoded after the signing is refused', () => {
    expect(reasonFor(VECTOR.replaceAll('/registrations/', '%2Fregistrations%2F'))).toBe('the signature is wrong');
  });

  test.each(vectors.accepted)('the vector of an SDK, $name', ({ key, resource, expiry, token }) => {
    const sdk = { resources: [resource], keys: [key], policy: expected.policy, now: (expiry - 3600) * 1000 };
    expect(checkSasToken(token, sdk).verified).toBe(true);
  });
});

describe('CL-055 what is refused', () => {
  const token = (changes: Partial<Parameters<typeof testToken>[0]>) =>
    testToken({ resource: REGISTRATION, key: KEY, se: SE, skn: 'registration', ...changes });

  test('one changed character of the signature', () => {
    expect(reasonFor(VECTOR.replace('7Sgk', '7Sgj'))).toBe('the signature is wrong');
  });

  test('expiry: now, in the past, and more than a year away', () => {
    expect(reasonFor(VECTOR, { now: SE * 1000 })).toBe('the token has expired');
    expect(reasonFor(VECTOR, { now: (SE - 1) * 1000 })).toBe('verified');
    expect(reasonFor(token({ se: SE + 2 * 366 * 24 * 3600 }))).toBe('the token lives longer than a year');
  });

  test('the policy name: missing, another, or one where none may be', () => {
    const bare = testToken({ resource: REGISTRATION, key: KEY, se: SE });
    expect(reasonFor(bare)).toBe('the token names no policy');
    expect(reasonFor(bare, { policy: { value: 'registration', presence: 'optional' } })).toBe('verified');
    expect(reasonFor(token({ skn: 'iothubowner' }))).toMatch(/iothubowner/);
    expect(reasonFor(VECTOR, { policy: 'forbidden' })).toBe('the token names a policy');
  });

  test.each([
    '0ne00abcdef/registrations/dev-0',
    '0ne00abcdef/registrations/dev-01/x',
    '0ne00abcdef/registrations',
    'other/registrations/dev-01',
  ])('a token for %s', (resource) => {
    expect(reasonFor(token({ resource }))).toBe(`the token is for '${resource}'`);
  });

  test.each([
    ['no header', undefined],
    ['another scheme', VECTOR.replace('SharedAccessSignature', 'Bearer')],
    ['a field twice', `${VECTOR}&sr=${REGISTRATION}`],
    ['an unknown field', `${VECTOR}&x=1`],
    ['no signature', VECTOR.replace(/&sig=[^&]*/, '')],
    ['no expiry', VECTOR.replace(/&se=[^&]*/, '')],
    ['an expiry that is no number', VECTOR.replace(/&se=[^&]*/, '&se=1e9')],
    ['a broken escape', VECTOR.replace('dev-01', 'dev%')],
    ['nothing but the scheme', 'SharedAccessSignature '],
    ['a name without a value', `${VECTOR}&`],
    ['5 kB', `${VECTOR}${'&'.repeat(5000)}`],
  ])('%s', (_, header) => {
    expect(checkSasToken(header, expected).verified).toBe(false);
  });

  test('a signature of another length', () => {
    expect(reasonFor(VECTOR.replace(/sig=[^&]*/, 'sig=AAAA'))).toBe('the signature is wrong');
  });
});

test('the order of the fields is free', () => {
  const [sr, sig, se, skn] = VECTOR.slice('SharedAccessSignature '.length).split('&');
  expect(reasonFor(`SharedAccessSignature ${[skn, se, sig, sr].join('&')}`)).toBe('verified');
  expect(readSasToken(VECTOR)?.signature).toHaveLength(32);
});
