import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { DAEMONS, type Daemon } from './index.ts';

export const USAGE = `usage: aziot-conformance [options] [ID…]

Starts the daemons of an Azure IoT Identity Service as separate processes, asks them over their sockets, and says for each
requirement whether it is met. Run it as root, as many requirements need callers of other uids.

  ID…               only requirements whose id starts so: KS-043, TR, keys-files#create
  --daemon NAME     only requirements of keyd, certd or identityd
  --aziotd PATH     the program that is started as aziot-keyd, aziot-certd, aziot-identityd
  --socket-dir DIR  where its sockets are, when it does not read [endpoints]
  --list            say what would be asked, and ask nothing
  --json            one JSON object with all verdicts instead of the table
  --help

Exit: 0 all met or skipped, 1 some not met, 2 wrong usage.
`;

export interface Options {
  readonly ids: readonly string[];
  readonly daemon?: Daemon;
  readonly aziotd?: string;
  readonly socketDir?: string;
  readonly list: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** Reads the command line. @throws Error that says what is wrong with it */
export function readOptions(args: readonly string[]): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      daemon: { type: 'string' },
      aziotd: { type: 'string' },
      'socket-dir': { type: 'string' },
      list: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const daemon = DAEMONS.find((name) => name === values.daemon);
  if (values.daemon !== undefined && !daemon)
    throw new Error(`no daemon is called ${JSON.stringify(values.daemon)}; use one of ${DAEMONS.join(', ')}`);
  const { list, json, help, aziotd, 'socket-dir': socketDir } = values;
  return {
    ids: positionals,
    list,
    json,
    help,
    ...(daemon ? { daemon } : {}),
    ...(aziotd === undefined ? {} : { aziotd: resolve(aziotd) }),
    ...(socketDir === undefined ? {} : { socketDir: resolve(socketDir) }),
  };
}

const OF_DAEMON: Readonly<Record<Daemon, RegExp>> = {
  keyd: /^KS-|\/keyd$|^keys-/,
  certd: /^CS-|\/certd$|^certificates#/,
  identityd: /^IS-|\/identityd$|^identity#|^TR-005$/,
};

/** Whether a requirement is asked for. */
export function isWanted({ ids, daemon }: Options, id: string): boolean {
  if (daemon && !OF_DAEMON[daemon].test(id)) return false;
  return ids.length === 0 || ids.some((start) => id.startsWith(start));
}
