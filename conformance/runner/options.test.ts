import { expect, test } from 'vitest';
import { fits, idsIn } from './ids.ts';
import { leftOutOnPurpose } from './launch.ts';
import { readOptions } from './options.ts';

test('an unknown driver, verb, option, report and need are refused by name', () => {
  expect(() => readOptions(['run', '--driver', 'mqttd'])).toThrow(/mqttd/);
  expect(() => readOptions(['runn'])).toThrow(/runn/);
  expect(() => readOptions(['run', '--frobnicate'])).toThrow(/frobnicate/);
  expect(() => readOptions(['run', '--report', 'pdf'])).toThrow(/pdf/);
  expect(() => readOptions(['run', '--without', 'money'])).toThrow(/money/);
  expect(() => readOptions(['run', '--jobs', '0'])).toThrow(/--jobs 0/);
  expect(() => readOptions(['run', '--socket', 'keyd'])).toThrow(/keyd/);
  expect(() => readOptions(['run', '--max-requests', '0'])).toThrow(/--max-requests 0/);
  expect(() => readOptions(['run', '--min-spacing', '1.5'])).toThrow(/--min-spacing 1\.5/);
  expect(() => readOptions(['run', '--driver', 'azure', '--profile', 'keys'])).toThrow(/dps and hub, not keys/);
  expect(() => readOptions(['run', 'KS-001'])).toThrow(/--only/);
});

test('lists are given by comma or by repetition', () => {
  const options = readOptions([
    'run',
    '--profile',
    'keys,est',
    '--only',
    'KS-0*',
    '--only',
    'TR',
    '--report',
    'html,tap',
  ]);
  expect([options.profiles, options.only, options.reports]).toEqual([
    ['keys', 'est'],
    ['KS-0*', 'TR'],
    ['html', 'tap'],
  ]);
});

test('sockets of running daemons go to the drivers', () => {
  const { env } = readOptions(['run', '--driver', 'external', '--socket', 'keyd=/a', '--socket', 'certd=/b']);
  expect(env).toMatchObject({ AZIOT_CONFORMANCE_DRIVER: 'external', AZIOT_CONFORMANCE_SOCKETS: 'keyd=/a,certd=/b' });
});

test('a pattern is a beginning, or has stars', () => {
  const ids = ['TR-001/keyd', 'TR-001/certd', 'KS-043', 'KS-143', 'keys-files#a.b'];
  expect(ids.filter((id) => fits(id, 'TR-'))).toHaveLength(2);
  expect(ids.filter((id) => fits(id, 'KS-0*'))).toEqual(['KS-043']);
  expect(ids.filter((id) => fits(id, '*/keyd'))).toEqual(['TR-001/keyd']);
  expect(ids.filter((id) => fits(id, 'keys-files#a?b*'))).toEqual([]);
});

test('the cases that a reason names are found', () => {
  expect(idsIn('judged as TR-047/keyd and by keys-files#aead-decrypt-v1; KS-059 too')).toEqual([
    'TR-047/keyd',
    'keys-files#aead-decrypt-v1',
    'KS-059',
  ]);
});

test('a token and a TPM that are left out are not used, though they be there', () => {
  const { env, without } = readOptions(['run', '--without', 'pkcs11,tpm']);
  expect(without).toEqual(['pkcs11', 'tpm']);
  expect(leftOutOnPurpose('pkcs11', env)).toBe('left out: --without pkcs11');
  expect(leftOutOnPurpose('tpm', env)).toBe('left out: --without tpm');
  expect(leftOutOnPurpose('tpm', readOptions(['run']).env)).toBeUndefined();
});
