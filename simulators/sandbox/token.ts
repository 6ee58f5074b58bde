import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { SoftwareTpm } from './software-tpm.ts';

/** A token of this sandbox: SoftHSM's, or in its software TPM. */
export interface Token {
  readonly module: string;
  readonly label: string;
  /** What a process needs in its environment to see the token. */
  readonly env: Readonly<Record<string, string>>;
  readonly pin: string;
}

export const TOKEN_LABEL = 'TEST sandbox';

/** SoftHSM's configuration below keyd's folder, by which it finds its tokens. */
function softHsmConf(keydFolder: string): string {
  return join(keydFolder, 'softhsm/softhsm2.conf');
}

/** The environment in which SoftHSM sees the token of this sandbox. */
export function softHsmEnv(keydFolder: string): Record<string, string> {
  return { SOFTHSM2_CONF: softHsmConf(keydFolder) };
}

/** The environment in which the PKCS#11 module for TPMs sees the token of this sandbox. */
export function tpmTokenEnv(keydFolder: string, tpm: SoftwareTpm): Record<string, string> {
  const store = join(keydFolder, 'tpm2-pkcs11');
  // the module writes what it does to standard error otherwise
  return {
    ...tpm.env,
    TPM2_PKCS11_STORE: store,
    TPM2_PKCS11_TCTI: tpm.tcti,
    TPM2_PKCS11_LOG_LEVEL: '0',
    TSS2_LOG: 'all+none',
  };
}

/** The token as keyd's configuration names it. */
export function tokenUri({ label, pin }: Token): string {
  return `pkcs11:token=${encodeURIComponent(label)}?pin-value=${pin}`;
}

function randomPin(): string {
  return Array.from({ length: 12 }, () => randomInt(10)).join('');
}

/** Gives an empty slot of the module its label and PINs. @throws Error with what the tool said */
async function initialise(token: Token, slot: readonly string[]): Promise<void> {
  const { module, label, pin } = token;
  // PINs travel in the environment: other users can read arguments
  const env = { ...process.env, ...token.env, SO_PIN: randomBytes(12).toString('hex'), USER_PIN: pin };
  await pkcs11Tool(env, ['--module', module, '--init-token', ...slot, '--label', label, '--so-pin', 'env:SO_PIN']);
  const asOfficer = ['--login', '--login-type', 'so', '--so-pin', 'env:SO_PIN'];
  await pkcs11Tool(env, [
    '--module',
    module,
    '--token-label',
    label,
    ...asOfficer,
    '--init-pin',
    '--new-pin',
    'env:USER_PIN',
  ]);
}

/**
 * Makes a SoftHSM token with a random PIN below `keydFolder`.
 *
 * @throws Error with what the tool said
 */
export async function makeSoftHsmToken(module: string, keydFolder: string): Promise<Token> {
  const conf = softHsmConf(keydFolder);
  const tokens = join(dirname(conf), 'tokens');
  await mkdir(tokens, { recursive: true, mode: 0o700 });
  const lines = [`directories.tokendir = ${tokens}`, 'objectstore.backend = file', 'log.level = ERROR', ''];
  await writeFile(conf, lines.join('\n'), { mode: 0o600 });
  const token = { module, label: TOKEN_LABEL, env: softHsmEnv(keydFolder), pin: randomPin() };
  await initialise(token, []);
  return token;
}

/**
 * Makes a token with a random PIN in a TPM; what the module keeps outside the TPM, encrypted by it, lies below `keydFolder`.
 *
 * @throws Error with what the tool said
 */
export async function makeTpmToken(module: string, keydFolder: string, tpm: SoftwareTpm): Promise<Token> {
  const env = tpmTokenEnv(keydFolder, tpm);
  await mkdir(env['TPM2_PKCS11_STORE'] ?? '', { recursive: true, mode: 0o700 });
  const token = { module, label: TOKEN_LABEL, env, pin: randomPin() };
  // the module has one empty slot
  await initialise(token, ['--slot', '1']);
  return token;
}

async function pkcs11Tool(env: NodeJS.ProcessEnv, args: string[]): Promise<void> {
  try {
    await promisify(execFile)('pkcs11-tool', args, { env, timeout: 30_000 });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new Error(said === '' ? 'pkcs11-tool failed' : `pkcs11-tool: ${said.split('\n').at(-1)}`, { cause: error });
  }
}
