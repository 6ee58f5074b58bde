import { readFile } from 'node:fs/promises';
import type { Static } from 'typebox';
import type { TestPki } from '../../common/index.ts';
import type { EstAuth } from '../auth.ts';
import { expectValue, readJson } from '../control/read-body.ts';
import { CONFIG_FILE } from '../control/schemas.ts';
import type { EstSimulatorOptions } from '../est-simulator.ts';
import type { EstCommand } from './options.ts';

/** The passwords of a server that was told none. */
const DEFAULT_USERS = [{ username: 'device', password: 'secret' }];

type Config = Static<typeof CONFIG_FILE>;

async function authOf(command: EstCommand, fromFile: EstAuth | undefined, pki: TestPki): Promise<EstAuth> {
  const given: EstAuth = {
    ...fromFile,
    ...(command.users.length > 0 ? { basic: command.users } : {}),
    ...(command.digestUsers.length > 0 ? { digest: command.digestUsers } : {}),
    ...(command.clientCaFiles.length > 0
      ? { clientCas: await Promise.all(command.clientCaFiles.map((path) => readFile(path, 'utf8'))) }
      : {}),
    ...(command.require === undefined ? {} : { require: command.require as 'either' }),
  };
  const isSilent = !given.basic && !given.digest && !given.clientCas && given.require !== 'none';
  if (!isSilent) return given;
  const clientCas = [(await pki.ca('bootstrap')).certificatePem, (await pki.ca('est')).certificatePem];
  return { ...given, basic: DEFAULT_USERS, clientCas };
}

/**
 * What the simulator is to be, from file and command line.
 *
 * @throws Error that names file or option, and what is wrong with it
 */
export async function readSettings(
  command: EstCommand,
  pki: TestPki,
): Promise<Omit<EstSimulatorOptions, 'pki' | 'clock'>> {
  const text = command.configFile === undefined ? '' : await readFile(command.configFile, 'utf8');
  const file: Config = readJson(CONFIG_FILE, text);
  const auth = await authOf(command, file.auth as EstAuth | undefined, pki);
  const quirks = Object.keys(command.quirks).length > 0 ? command.quirks : (file.quirks ?? {});
  const hosts = command.names ?? file.hosts;
  const whole = expectValue(CONFIG_FILE, { ...file, ...command.profile, auth, quirks, ...(hosts ? { hosts } : {}) });
  return {
    ...(whole as Omit<EstSimulatorOptions, 'pki' | 'clock'>),
    port: command.port,
    host: command.host,
  };
}
