import { describe, expect, it } from 'vitest';
import {
  aptLine,
  buildNeeded,
  checksWanted,
  installNeeded,
  lockIsStale,
  missingPackages,
  PACKAGE_OF,
  packageAction,
} from './setup-plan.mjs';

const everything = Object.fromEntries(Object.keys(PACKAGE_OF).map((thing) => [thing, true]));

describe('the lock-file install', () => {
  const found = { modulesStamp: 2_000, lockStamp: 1_000, recordedHash: undefined, lockHash: 'now' };

  it('runs when nothing is installed', () => {
    expect(installNeeded({ ...found, modulesStamp: undefined })).toBe(true);
    expect(installNeeded({ ...found, modulesStamp: undefined, recordedHash: 'now' })).toBe(true);
  });

  it('runs when the lock file is newer than what is installed', () => {
    expect(installNeeded({ ...found, modulesStamp: 500 })).toBe(true);
    expect(installNeeded(found)).toBe(false);
  });

  it('goes by the content of the lock file once that is recorded: a touched file costs nothing', () => {
    expect(installNeeded({ ...found, modulesStamp: 500, recordedHash: 'now' })).toBe(false);
    expect(installNeeded({ ...found, recordedHash: 'before' })).toBe(true);
  });
});

describe('the system packages', () => {
  it('are none when everything is there', () => {
    expect(missingPackages(everything)).toEqual([]);
    expect(packageAction({ packages: [], isRoot: true, hasApt: true })).toEqual({ action: 'nothing' });
  });

  it('are named once each, though two things of one package are missing', () => {
    const present = { ...everything, 'softhsm2-util': false, 'softhsm module': false, gcc: false };
    expect(missingPackages(present)).toEqual(['gcc', 'softhsm2']);
  });

  it('of the tests are wanted by the tests only', () => {
    const present = { ...everything, chromium: false };
    expect(missingPackages(present)).toEqual([]);
    expect(missingPackages(present, { ...PACKAGE_OF, chromium: 'chromium' })).toEqual(['chromium']);
  });

  it('are installed by root on Debian', () => {
    expect(packageAction({ packages: ['jq'], isRoot: true, hasApt: true })).toEqual({ action: 'install' });
  });

  it('are told to everybody else as one line to run', () => {
    const told = packageAction({ packages: ['gcc', 'jq'], isRoot: false, hasApt: true });
    expect(told).toMatchObject({ action: 'tell', message: expect.stringContaining('sudo apt-get install gcc jq') });
    expect(aptLine(['gcc', 'jq'])).toBe('sudo apt-get install gcc jq');
  });

  it('are listed by name where there is no apt', () => {
    const told = packageAction({ packages: ['gcc', 'jq'], isRoot: true, hasApt: false });
    expect(told).toMatchObject({ action: 'tell', message: expect.stringMatching(/not a Debian system.*gcc jq/) });
  });
});

describe('a compiled file', () => {
  it('is made when absent or older than a source', () => {
    expect(buildNeeded({ built: undefined, sources: [] })).toBe(true);
    expect(buildNeeded({ built: 5, sources: [1, 6] })).toBe(true);
    expect(buildNeeded({ built: 5, sources: [1, 4] })).toBe(false);
  });
});

describe('the lock of two set-ups at once', () => {
  const alive = (pid: number) => pid === 7;

  it('is held while its owner lives', () => {
    expect(lockIsStale({ ownerPid: 7, ageMs: 1e9, isAlive: alive })).toBe(false);
    expect(lockIsStale({ ownerPid: 8, ageMs: 0, isAlive: alive })).toBe(true);
  });

  it('gives a new owner time to sign', () => {
    expect(lockIsStale({ ownerPid: undefined, ageMs: 100, isAlive: alive })).toBe(false);
    expect(lockIsStale({ ownerPid: undefined, ageMs: 11_000, isAlive: alive })).toBe(true);
  });
});

describe('npm test', () => {
  it('runs every check unless file names narrow the run', () => {
    expect(checksWanted([])).toBe(true);
    expect(checksWanted(['--reporter=verbose'])).toBe(true);
    expect(checksWanted(['impl/keys'])).toBe(false);
  });
});
