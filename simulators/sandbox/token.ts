import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A SoftHSM token of this sandbox. */
export interface Token {
  readonly module: string;
  readonly label: string;
  /** The configuration that SoftHSM finds its tokens by (`SOFTHSM2_CONF`). */
  readonly confPath: string;
  readonly pin: string;
}

export const TOKEN_LABEL = 'TEST sandbox';

/** Where the token of a sandbox lies below keyd's folder. */
export function softHsmFolder(keydFolder: string): string {
  return join(keydFolder, 'softhsm');
}

/** The environment that a process needs to see the token. */
export function tokenEnv(token: Token | undefined): Record<string, string> {
  return token === undefined ? {} : { SOFTHSM2_CONF: token.confPath };
}

/** The token as keyd's configuration names it. */
export function tokenUri({ label, pin }: Token): string {
  return `pkcs11:token=${encodeURIComponent(label)}?pin-value=${pin}`;
}

function randomPin(): string {
  return Array.from({ length: 12 }, () => randomInt(10)).join('');
}

/**
 * Makes a token with a random PIN below `keydFolder`.
 *
 * @throws Error with what the tool said
 */
export async function makeToken(module: string, keydFolder: string): Promise<Token> {
  const folder = softHsmFolder(keydFolder);
  const tokens = join(folder, 'tokens');
  await mkdir(tokens, { recursive: true, mode: 0o700 });
  const confPath = join(folder, 'softhsm2.conf');
  const conf = [`directories.tokendir = ${tokens}`, 'objectstore.backend = file', 'log.level = ERROR', ''];
  await writeFile(confPath, conf.join('\n'), { mode: 0o600 });
  const token = { module, label: TOKEN_LABEL, confPath, pin: randomPin() };
  // PINs travel in the environment: other users can read arguments
  const env = { ...process.env, SOFTHSM2_CONF: confPath, SO_PIN: randomBytes(12).toString('hex'), USER_PIN: token.pin };
  await pkcs11Tool(env, ['--module', module, '--init-token', '--label', token.label, '--so-pin', 'env:SO_PIN']);
  const asOfficer = ['--login', '--login-type', 'so', '--so-pin', 'env:SO_PIN'];
  const initPin = ['--token-label', token.label, ...asOfficer, '--init-pin', '--new-pin', 'env:USER_PIN'];
  await pkcs11Tool(env, ['--module', module, ...initPin]);
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
