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
  /** The command that adds what is missing. */
  readonly aptLine: string;
}

const TREE = fileURLToPath(new URL('../../', import.meta.url));
const SOFTHSM_MODULES = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
];

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
    aptLine: env['AZIOT_SANDBOX_APT'] ?? 'sudo apt-get install softhsm2 opensc libssl-dev gcc g++ make openssl curl jq',
  };
}
