import { describe, expect, it } from 'vitest';
import { readCommandLine } from './options.ts';

describe('the command line of the sandbox', () => {
  it('has a default for everything', () => {
    expect(readCommandLine([])).toEqual({
      kind: 'run',
      options: {
        provisioning: undefined,
        life: 'stay',
        output: 'table',
        dataDir: undefined,
        cloud: 'simulated',
        hostUser: undefined,
        token: undefined,
      },
    });
  });

  it('takes every option', () => {
    const args = [
      '--once',
      '--json',
      '--provisioning',
      'manual-sas',
      '--data-dir=/d',
      '--no-cloud',
      '--host-user',
      '7',
      '--token=tpm',
    ];
    expect(readCommandLine(args)).toEqual({
      kind: 'run',
      options: {
        provisioning: 'manual-sas',
        life: 'once',
        output: 'json',
        dataDir: '/d',
        cloud: 'stopped',
        hostUser: '7',
        token: 'tpm',
      },
    });
  });

  it('offers help before anything else', () => {
    expect(readCommandLine(['--once', '-h'])).toEqual({ kind: 'help' });
  });

  it.each([
    [['--provisioning', 'dps-magic'], /no way of provisioning is called "dps-magic"; use one of: dps-x509-est, /],
    [['--token', 'paper'], /no token is called "paper"; use one of: softhsm, tpm/],
    [['--no-cloud'], /--no-cloud needs --data-dir/],
    [['--data-dir='], /--data-dir needs a value/],
    [['--nonsense'], /--nonsense/],
    [['word'], /word/],
  ])('refuses %j and says why', (args, message) => {
    expect(readCommandLine(args)).toEqual({ kind: 'invalid', message: expect.stringMatching(message) });
  });
});
