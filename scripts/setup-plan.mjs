// The decisions of the set-up, as pure functions over what was found on the machine. Runs on Node 20 or newer.

/** The Debian package that brings each thing the product uses; several things may come from one package. */
export const PACKAGE_OF = Object.freeze({
  'softhsm2-util': 'softhsm2',
  'softhsm module': 'softhsm2',
  'pkcs11-tool': 'opensc',
  'openssl headers': 'libssl-dev',
  gcc: 'gcc',
  'g++': 'g++',
  make: 'make',
  openssl: 'openssl',
  curl: 'curl',
  jq: 'jq',
  swtpm: 'swtpm',
  tpm2_getcap: 'tpm2-tools',
});

/** What the tests use beside that: other programs to speak with, and tools that look at ours. */
export const TEST_PACKAGE_OF = Object.freeze({
  'TPM PKCS#11 module': 'libtpm2-pkcs11-1',
  tpm2_ptool: 'libtpm2-pkcs11-tools',
  'tpm2-abrmd': 'tpm2-abrmd',
  'TCTI of tpm2-abrmd': 'libtss2-tcti-tabrmd0',
  'dbus-daemon': 'dbus-daemon',
  nginx: 'nginx-light',
  tinyproxy: 'tinyproxy',
  chromium: 'chromium',
  valgrind: 'valgrind',
  python3: 'python3',
});

/**
 * Whether the lock-file install has to run.
 * @param {{modulesStamp: number | undefined, lockStamp: number, recordedHash: string | undefined, lockHash: string}} found
 *   modification times in ms (undefined: npm has not installed anything yet), the hash of the lock file now and at the last install of ours
 */
export function installNeeded({ modulesStamp, lockStamp, recordedHash, lockHash }) {
  if (modulesStamp === undefined) return true;
  if (recordedHash !== undefined) return recordedHash !== lockHash;
  return modulesStamp < lockStamp;
}

/**
 * The Debian packages for what is missing: each once, in alphabetical order.
 * @param {Record<string, boolean>} present
 * @param {Readonly<Record<string, string>>} [packageOf] what is wanted, with the package that brings it
 */
export function missingPackages(present, packageOf = PACKAGE_OF) {
  const wanted = Object.entries(packageOf).filter(([thing]) => present[thing] !== true);
  return [...new Set(wanted.map(([, name]) => name))].sort();
}

/** The line a person runs to get `packages`. @param {string[]} packages */
export function aptLine(packages) {
  return `sudo apt-get install ${packages.join(' ')}`;
}

/**
 * What to do about missing packages.
 * @param {{packages: string[], isRoot: boolean, hasApt: boolean}} found
 * @returns {{action: 'nothing'} | {action: 'install'} | {action: 'tell', message: string}}
 */
export function packageAction({ packages, isRoot, hasApt }) {
  if (packages.length === 0) return { action: 'nothing' };
  if (!hasApt) {
    return {
      action: 'tell',
      message: `this is not a Debian system: install what these Debian packages hold yourself: ${packages.join(' ')}`,
    };
  }
  if (isRoot) return { action: 'install' };
  return {
    action: 'tell',
    message: `some system packages are missing, going on without them; to add them run: ${aptLine(packages)}`,
  };
}

/**
 * Whether a compiled file has to be made (again).
 * @param {{built: number | undefined, sources: number[]}} stamps modification times in ms; undefined: not built yet
 */
export function buildNeeded({ built, sources }) {
  return built === undefined || sources.some((source) => source > built);
}

/**
 * Whether a set-up lock is left over from a run that has ended.
 * @param {{ownerPid: number | undefined, ageMs: number, isAlive: (pid: number) => boolean}} lock
 *   ownerPid undefined: the owner has not written its number yet
 */
export function lockIsStale({ ownerPid, ageMs, isAlive }) {
  return ownerPid === undefined ? ageMs > 10_000 : !isAlive(ownerPid);
}

/**
 * Which checks `npm test` runs: all of them, unless file names narrow the run.
 * @param {string[]} args the arguments after `npm test --`
 */
export function checksWanted(args) {
  return !args.some((arg) => !arg.startsWith('-'));
}
