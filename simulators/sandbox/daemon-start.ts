import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withCompileCache } from './compile-cache.ts';
import {
  type ConfigFacts,
  certdConfig,
  identitydConfig,
  keydConfig,
  socketPath,
  tpmdConfig,
} from './daemon-configs.ts';
import { type Daemon, type DaemonName, startDaemon, whenListening } from './daemon-process.ts';
import { type TomlTable, tomlFile } from './toml-values.ts';

const CONFIGS: Readonly<Record<DaemonName, (facts: ConfigFacts) => TomlTable>> = {
  keyd: keydConfig,
  certd: certdConfig,
  identityd: identitydConfig,
  tpmd: tpmdConfig,
};
const LISTEN_WITHIN_MS = 30_000;

/** Variables of the caller that would reach into the sandbox: other configurations, sockets, proxies, trust. */
const FOREIGN = /^(?:AZIOT_(?!LOG$|NODE$)|LISTEN_|https?_proxy$|SSL_CERT_|SOFTHSM2_CONF$)/i;

/** The environment of a daemon. */
function daemonEnv(name: DaemonName, facts: ConfigFacts, rootCaPath: string): NodeJS.ProcessEnv {
  const folder = facts.folders[name];
  const variable = `AZIOT_${name.toUpperCase()}_CONFIG`;
  return {
    ...withCompileCache(Object.fromEntries(Object.entries(process.env).filter(([key]) => !FOREIGN.test(key)))),
    [variable]: join(folder, 'config.toml'),
    [`${variable}_DIR`]: join(folder, 'config.d'),
    SSL_CERT_FILE: rootCaPath,
    ...(name === 'keyd' ? facts.token?.env : {}),
    ...(name === 'tpmd' ? facts.tpm?.env : {}),
  };
}

/** Writes the configuration of a daemon, closed to others: it may hold the PIN of the token. */
async function writeConfig(name: DaemonName, facts: ConfigFacts): Promise<void> {
  const folder = facts.folders[name];
  await mkdir(join(folder, 'config.d'), { recursive: true, mode: 0o700 });
  const comment = 'Made by aziot-sandbox at every start; what you add belongs into config.d beside this file.';
  await writeFile(join(folder, 'config.toml'), tomlFile(comment, CONFIGS[name](facts)), { mode: 0o600 });
}

/** Configures and starts a daemon. It may not listen yet. */
export async function launch(
  name: DaemonName,
  aziotd: string,
  facts: ConfigFacts,
  rootCaPath: string,
): Promise<Daemon> {
  await writeConfig(name, facts);
  const env = daemonEnv(name, facts, rootCaPath);
  return startDaemon({ name, aziotd, env, socketPath: socketPath(facts.folders, name) });
}

/** Waits for the socket of a daemon. @throws Error saying what stood in the way */
export async function mustListen(daemon: Daemon, signal: AbortSignal): Promise<void> {
  const trouble = await whenListening(daemon, LISTEN_WITHIN_MS, signal);
  if (trouble !== undefined) throw new Error(trouble);
}
