import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What this machine has for the sandbox. */
export interface Machine {
  /** The launcher of the daemons. */
  readonly aziotd: string;
  /** Whether a daemon can use a key in keyd as its TLS client key. */
  readonly engine: 'built' | 'missing';
  /** The PKCS#11 module of SoftHSM; absent: keys go to files, for the reason given. */
  readonly softHsm: { readonly module: string } | { readonly missing: string };
  /** swtpm, a TPM in software. */
  readonly softwareTpm: 'installed' | { readonly missing: string };
  /** The PKCS#11 module for TPMs, and what stands between it and a software TPM. */
  readonly tpmToken: { readonly module: string } | { readonly missing: string };
  /** The command that adds what is missing. */
  readonly aptLine: string;
}

const TREE = fileURLToPath(new URL('../../', import.meta.url));
const SOFTHSM_MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
];

const TPM_MODULES = [
  '/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so',
  '/usr/lib/aarch64-linux-gnu/pkcs11/libtpm2_pkcs11.so',
  '/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1',
];
/** Debian packages of the programs that a software TPM as a token takes. */
const TPM_TOKEN_PROGRAMS = { 'dbus-daemon': 'dbus-daemon', gdbus: 'libglib2.0-bin', 'tpm2-abrmd': 'tpm2-abrmd' };

async function isThere(path: string, mode = constants.R_OK): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false,
  );
}

async function firstThere(paths: readonly string[], mode?: number): Promise<string | undefined> {
  for (const path of paths) if (await isThere(path, mode)) return path;
  return undefined;
}

/** The programs of `wanted` (name to Debian package) that are in none of the folders: their packages. */
async function packagesMissing(
  folders: readonly string[],
  wanted: Readonly<Record<string, string>>,
): Promise<string[]> {
  const missing: string[] = [];
  for (const [name, debianPackage] of Object.entries(wanted)) {
    const paths = [...folders, '/usr/sbin'].map((folder) => join(folder, name));
    if ((await firstThere(paths, constants.X_OK)) === undefined) missing.push(debianPackage);
  }
  return missing;
}

function notInstalled(packages: readonly string[]): { readonly missing: string } {
  return { missing: `not installed: sudo apt-get install ${packages.join(' ')}` };
}

/** Looks at the machine. `env` is that of the caller: it may name another launcher (`AZIOT_SANDBOX_AZIOTD`). */
export async function lookAtMachine(env: NodeJS.ProcessEnv): Promise<Machine> {
  const ownLauncher = join(TREE, 'impl/bin/aziotd');
  const aziotd = env['AZIOT_SANDBOX_AZIOTD'] ?? ownLauncher;
  const isOwn = aziotd === ownLauncher;
  const engineBuilt = !isOwn || (await isThere(join(TREE, 'impl/openssl/build/aziot_keys.so')));
  const module = await firstThere(SOFTHSM_MODULES);
  const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const tool = await firstThere(
    folders.map((folder) => join(folder, 'pkcs11-tool')),
    constants.X_OK,
  );
  const bindingBuilt = !isOwn || (await isThere(join(TREE, 'node_modules/pkcs11js/build/Release/pkcs11.node')));
  const tpm = await packagesMissing(folders, { swtpm: 'swtpm' });
  const tpmModule = await firstThere(TPM_MODULES);
  const tokenPackages = [
    ...tpm,
    ...(tpmModule === undefined ? ['libtpm2-pkcs11-1'] : []),
    ...(await packagesMissing(folders, { ...TPM_TOKEN_PROGRAMS, 'pkcs11-tool': 'opensc' })),
  ];
  return {
    aziotd,
    engine: engineBuilt ? 'built' : 'missing',
    softHsm:
      module === undefined
        ? { missing: 'SoftHSM is not installed' }
        : tool === undefined
          ? { missing: 'pkcs11-tool is not installed' }
          : bindingBuilt
            ? { module }
            : { missing: 'the PKCS#11 binding is not compiled' },
    softwareTpm: tpm.length === 0 ? 'installed' : notInstalled(tpm),
    tpmToken:
      tpmModule !== undefined && tokenPackages.length === 0 ? { module: tpmModule } : notInstalled(tokenPackages),
    aptLine: env['AZIOT_SANDBOX_APT'] ?? 'sudo apt-get install softhsm2 opensc libssl-dev gcc g++ make openssl curl jq',
  };
}
