import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Need } from './level.ts';

export const DAEMONS = ['keyd', 'certd', 'identityd', 'tpmd'] as const;
export type Daemon = (typeof DAEMONS)[number];

/** Who starts what is tested; docs/conformance.md explains each. */
const DRIVER_NAMES = ['ours', 'external', 'command', 'aziotd-rust', 'azure'] as const;
export type DriverName = (typeof DRIVER_NAMES)[number];

/** How the daemons under test are started. Data only, as it travels to other processes by environment variables. */
export interface Launch {
  /** Absent: `ours`. */
  readonly driver?: DriverName;
  /** Program that is given the daemon's name as its argument, and its link name (`aziot-keyd`) as argv[0]; the adapter of driver `command`. */
  readonly program: string;
  /**
   * Folder of the sockets when the daemons do not read `[endpoints]` (a release build of the Rust daemons outside of a mount
   * namespace); undefined when every world has sockets of its own.
   */
  readonly fixedSockets?: string;
  /** Sockets of daemons that run already; nothing is started, stopped or configured then. */
  readonly running?: Readonly<Record<string, string>>;
  /** Whether keys and certificates may be made in daemons that run already. */
  readonly mayChange?: boolean;
}

const OWN = fileURLToPath(new URL('../../impl/bin/aziotd', import.meta.url));

/**
 * The daemons to test, from the variables that `aziot-conformance` sets from its options: `AZIOT_CONFORMANCE_DRIVER`,
 * `…_AZIOTD` (driver `ours`; default: the daemons of this project), `…_COMMAND`, `…_RUST_DIR`, `…_SOCKETS` (`keyd=/path,…`), `…_ALLOW_CHANGES`.
 * @throws Error when a driver lacks what it needs
 */
export function launchFromEnv(env: NodeJS.ProcessEnv = process.env): Launch {
  const driver = driverNamed(env['AZIOT_CONFORMANCE_DRIVER'] || 'ours');
  const given = (name: string, option: string): string => {
    const value = env[`AZIOT_CONFORMANCE_${name}`];
    if (!value) throw new Error(`driver ${driver} needs ${option}`);
    return value;
  };
  switch (driver) {
    case 'ours': {
      const fixedSockets = env['AZIOT_CONFORMANCE_SOCKET_DIR'];
      const program = env['AZIOT_CONFORMANCE_AZIOTD'] || OWN;
      return fixedSockets ? { driver, program, fixedSockets } : { driver, program };
    }
    case 'command':
      return { driver, program: resolve(given('COMMAND', '--command PATH, an executable with the five verbs')) };
    case 'aziotd-rust':
      return { driver, program: resolve(given('RUST_DIR', '--rust-dir DIR, the folder with the binaries')) };
    case 'external': {
      const running = socketsFrom(env['AZIOT_CONFORMANCE_SOCKETS'] ?? '');
      return { driver, program: '', running, mayChange: env['AZIOT_CONFORMANCE_ALLOW_CHANGES'] === '1' };
    }
    case 'azure':
      if (!env['AZURE_DPS_SCOPE_ID'] && !env['AZURE_HUB_HOST'])
        throw new Error('driver azure needs AZURE_DPS_SCOPE_ID, or AZURE_HUB_HOST, or both');
      return { driver, program: '', running: {}, mayChange: env['AZIOT_CONFORMANCE_ALLOW_CHANGES'] === '1' };
  }
}

/** The daemons of the Rust release whose folder was given beside those under test (`--rust-dir`); undefined without one. */
export function referenceFromEnv(env: NodeJS.ProcessEnv = process.env): Launch | undefined {
  const folder = env['AZIOT_CONFORMANCE_RUST_DIR'];
  return folder ? { driver: 'aziotd-rust', program: resolve(folder) } : undefined;
}

/** @throws Error that lists the drivers */
export function driverNamed(name: string): DriverName {
  const driver = DRIVER_NAMES.find((candidate) => candidate === name);
  if (!driver) throw new Error(`no driver is called ${JSON.stringify(name)}; use one of ${DRIVER_NAMES.join(', ')}`);
  return driver;
}

/** Reads `keyd=/run/a.sock,certd=/run/b.sock`. @throws Error for anything else */
export function socketsFrom(text: string): Readonly<Record<string, string>> {
  const parts = text.split(',').filter((part) => part !== '');
  return Object.fromEntries(
    parts.map((part) => {
      const [, name, path] = /^(\w+)=(?:unix:\/\/)?(\/.+)$/.exec(part) ?? [];
      if (name === undefined || path === undefined)
        throw new Error(`${JSON.stringify(part)} is no socket; write keyd=/run/aziot/keyd.sock`);
      return [name, path];
    }),
  );
}

/** Why a thing of the machine is not used although it may be there: `--without` names it. Undefined: it may be used. */
export function leftOutOnPurpose(need: Need, env: NodeJS.ProcessEnv = process.env): string | undefined {
  const names = (env['AZIOT_CONFORMANCE_WITHOUT'] ?? '').split(',');
  return names.includes(need) ? `left out: --without ${need}` : undefined;
}

/** A program and the arguments it is started with. */
export interface CloudProgram {
  readonly program: string;
  readonly args: readonly string[];
}

const OWN_CLOUD = fileURLToPath(new URL('../../simulators/cloud/main.ts', import.meta.url));

/** The cloud to test against: `AZIOT_CONFORMANCE_CLOUD` (docs/conformance.md says what it has to do), or that of this project. */
export function cloudFromEnv(env: NodeJS.ProcessEnv = process.env): CloudProgram {
  const program = env['AZIOT_CONFORMANCE_CLOUD'];
  return program ? { program, args: [] } : { program: process.execPath, args: [OWN_CLOUD] };
}

/** An OpenSSL engine to test. */
export interface EngineFile {
  readonly file: string;
  /** A program that builds it, where it is that of this project. */
  readonly build?: string;
}

const OWN_ENGINE = fileURLToPath(new URL('../../impl/openssl/build/aziot_keys.so', import.meta.url));
const OWN_BUILD = fileURLToPath(new URL('../../impl/openssl/build.sh', import.meta.url));

/** The engine under test: `AZIOT_CONFORMANCE_ENGINE`, for driver `ours` that of this project; undefined where none is given. */
export function engineFromEnv({ driver }: Launch, env: NodeJS.ProcessEnv = process.env): EngineFile | undefined {
  const given = env['AZIOT_CONFORMANCE_ENGINE'];
  if (given) return { file: resolve(given) };
  return driver === undefined || driver === 'ours' ? { file: OWN_ENGINE, build: OWN_BUILD } : undefined;
}
