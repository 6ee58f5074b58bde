import { describe, expect, it } from 'vitest';
import type { Machine } from './machine.ts';
import type { Options } from './options.ts';
import { makePlan } from './plan.ts';
import type { Settings } from './settings.ts';

const options: Options = {
  provisioning: undefined,
  life: 'once',
  output: 'json',
  dataDir: '/d',
  cloud: 'simulated',
  hostUser: undefined,
  token: undefined,
};
const machine: Machine = {
  aziotd: '/aziotd',
  engine: 'built',
  softHsm: { module: '/lib/softhsm.so' },
  softwareTpm: 'installed',
  tpmToken: { module: '/lib/tpm2_pkcs11.so' },
  aptLine: 'sudo apt-get install things',
};
const bare: Machine = { ...machine, engine: 'missing', softHsm: { missing: 'SoftHSM is not installed' } };
const earlier: Settings = {
  provisioning: 'manual-sas',
  store: { kind: 'token', label: 'TEST sandbox', pin: '1' },
  secrets: { deviceKey: '', secondaryKey: '', groupKey: '' },
  cloud: { estUrl: '', dpsUrl: '', hubUrl: '', hubName: '', scopeId: '', ports: { est: 1, dps: 2, hub: 3 } },
};

describe('the plan of a start', () => {
  it('is EST and a token where everything is there', () => {
    expect(makePlan(options, machine, undefined)).toEqual({ provisioning: 'dps-x509-est', store: 'token', notes: [] });
  });

  it('is a symmetric key in a file where only Node is there, and says so', () => {
    const plan = makePlan(options, bare, undefined);
    expect(plan).toMatchObject({ provisioning: 'dps-symmetric', store: 'file' });
    expect(plan.notes.join('\n')).toMatch(
      /engine is not built.*dps-symmetric[\s\S]*private keys go to files: SoftHSM is not installed/,
    );
  });

  it('refuses a certificate without the engine, with the line that helps', () => {
    expect(() => makePlan({ ...options, provisioning: 'manual-x509' }, bare, undefined)).toThrow(
      /the OpenSSL engine[\s\S]*sudo apt-get install things/,
    );
  });

  it('goes on as the data folder was begun', () => {
    expect(makePlan(options, machine, earlier)).toMatchObject({ provisioning: 'manual-sas', store: 'token' });
    const inFiles = { ...earlier, store: { kind: 'file' as const } };
    expect(makePlan(options, machine, inFiles)).toMatchObject({ store: 'file' });
  });

  it('refuses another way than that of the data folder', () => {
    expect(() => makePlan({ ...options, provisioning: 'dps-symmetric' }, machine, earlier)).toThrow(
      /one of manual-sas/,
    );
  });

  it('refuses a data folder whose token has no module any more', () => {
    expect(() => makePlan(options, { ...bare, engine: 'built' }, earlier)).toThrow(/SoftHSM is not installed/);
  });

  it('refuses --no-cloud on a new data folder', () => {
    expect(() => makePlan({ ...options, cloud: 'stopped' }, machine, undefined)).toThrow(
      /start once without --no-cloud/,
    );
  });

  it('takes a TPM as token where the machine has what that takes, and stays with it', () => {
    const wish = { ...options, token: 'tpm' as const };
    expect(makePlan(wish, machine, undefined)).toMatchObject({ store: 'tpm-token' });
    const without = { ...machine, tpmToken: { missing: 'not installed: sudo apt-get install tpm2-abrmd' } };
    expect(() => makePlan(wish, without, undefined)).toThrow(/apt-get install tpm2-abrmd/);
    const inTpm = { ...earlier, store: { kind: 'token', token: 'tpm', label: 'TEST sandbox', pin: '1' } as const };
    expect(makePlan(options, machine, inTpm)).toMatchObject({ store: 'tpm-token' });
    expect(() => makePlan({ ...options, token: 'softhsm' }, machine, inTpm)).toThrow(/one with keys in tpm/);
    expect(() => makePlan({ ...wish, provisioning: 'dps-tpm' }, machine, undefined)).toThrow(/0x81000001/);
  });

  it('refuses dps-tpm without swtpm', () => {
    const without = { ...machine, softwareTpm: { missing: 'not installed: sudo apt-get install swtpm' } };
    expect(() => makePlan({ ...options, provisioning: 'dps-tpm' }, without, undefined)).toThrow(/install swtpm/);
    expect(makePlan({ ...options, provisioning: 'dps-tpm' }, machine, undefined)).toMatchObject({ store: 'token' });
  });
});
