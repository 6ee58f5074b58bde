import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { promisify } from 'node:util';
import { leftOutOnPurpose, type World } from '../runner/index.ts';
import { startTpm, TPM_MODULE, tpmMissing } from './software-tpm.ts';

const run = promisify(execFile);

export const STORE_NAMES = ['file', 'softhsm', 'tpm'] as const;
export type StoreName = (typeof STORE_NAMES)[number];

/** PIN of the user in every token that is made here; logs are searched for it. */
export const PIN = '48151623';
const SO_PIN = '15162342';
export const TOKEN_LABEL = 'conformance';

/** A place where dynamic keys are made. */
export interface Store {
  readonly name: StoreName;
  /** The PKCS#11 module, or undefined where keys are files. */
  readonly module: string | undefined;
  /** Whether symmetric keys and the handle-validation key are made in the token; a TPM's module has no mechanism for them. */
  readonly symmetricIn: 'files' | 'token';
  /** Whether RSA pairs of 4096 bits can be made. */
  readonly rsa4096: 'made' | 'refused';
  /** Why the store cannot be had on this machine; undefined when it can. */
  whyNot(): string | undefined;
  /** Makes an empty store in the world's folder; gives its lines of `[aziot_keys]`. */
  prepare(world: World): Promise<string>;
}

const SOFTHSM = '/usr/lib/softhsm/libsofthsm2.so';
/** The lines that put dynamic keys into a token of {@link TOKEN_LABEL}. */
export function tokenLines(module: string, { pin = PIN }: { readonly pin?: string } = {}): string {
  return `pkcs11_lib_path = "${module}"\npkcs11_base_slot = "pkcs11:token=${TOKEN_LABEL}?pin-value=${pin}"`;
}

/** Makes a SoftHSM token of {@link TOKEN_LABEL} below the world's folder and points the world's environment at it. */
async function makeSofthsmToken(world: World): Promise<void> {
  await mkdir(world.path('tokens'));
  const conf = 'directories.tokendir = @ROOT@/tokens\nobjectstore.backend = file\nlog.level = ERROR\n';
  world.env['SOFTHSM2_CONF'] = await world.file('softhsm2.conf', conf);
  const args = ['--init-token', '--free', '--label', TOKEN_LABEL, '--pin', PIN, '--so-pin', SO_PIN];
  await run('softhsm2-util', args, { env: { ...process.env, ...world.env } });
}

/** Makes a token of {@link TOKEN_LABEL} in the module's first, empty slot. */
async function initialiseToken(world: World, module: string): Promise<void> {
  const tool = (...args: readonly string[]) => pkcs11Tool(world, module, args);
  await tool('--init-token', '--slot', '1', '--label', TOKEN_LABEL, '--so-pin', SO_PIN);
  const login = ['--token-label', TOKEN_LABEL, '--login', '--login-type', 'so', '--so-pin', SO_PIN];
  await tool(...login, '--init-pin', '--pin', PIN);
}

/** Runs OpenSC's pkcs11-tool on the world's token; gives what it printed. */
export async function pkcs11Tool(world: World, module: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run('pkcs11-tool', ['--module', module, ...args], { env: { ...process.env, ...world.env } });
  return stdout;
}

export const STORES: Readonly<Record<StoreName, Store>> = {
  file: {
    name: 'file',
    module: undefined,
    symmetricIn: 'files',
    rsa4096: 'made',
    whyNot: () => undefined,
    prepare: async () => '',
  },
  softhsm: {
    name: 'softhsm',
    module: SOFTHSM,
    symmetricIn: 'token',
    rsa4096: 'made',
    whyNot: () =>
      leftOutOnPurpose('pkcs11') ??
      (existsSync(SOFTHSM) ? undefined : `${SOFTHSM} is not there: apt-get install softhsm2`),
    async prepare(world) {
      await makeSofthsmToken(world);
      return tokenLines(SOFTHSM);
    },
  },
  tpm: {
    name: 'tpm',
    module: TPM_MODULE,
    symmetricIn: 'files',
    rsa4096: 'refused',
    whyNot: () => leftOutOnPurpose('pkcs11') ?? tpmMissing(),
    async prepare(world) {
      if (!TPM_MODULE) throw new Error('there is no PKCS#11 module for a TPM');
      await startTpm(world);
      await initialiseToken(world, TPM_MODULE);
      return tokenLines(TPM_MODULE);
    },
  },
};

/** Why there can be no SoftHSM token on this machine; undefined when there can. */
export const tokenMissing = (): string | undefined => STORES.softhsm.whyNot();

/** Makes an empty SoftHSM token in the world's folder; gives its lines of `[aziot_keys]`. */
export const prepareToken = (world: World): Promise<string> => STORES.softhsm.prepare(world);

/** Puts a private key (path of a PKCS#8 PEM file) into the token of {@link prepareToken}; gives its URI for `[preloaded_keys]`. */
export async function importIntoToken(world: World, label: string, path: string): Promise<string> {
  const where = ['--import', path, '--token', TOKEN_LABEL, '--pin', PIN];
  const id = Buffer.from(label).toString('hex');
  await run('softhsm2-util', [...where, '--label', label, '--id', id], { env: { ...process.env, ...world.env } });
  return `pkcs11:token=${TOKEN_LABEL};object=${label}?pin-value=${PIN}`;
}
