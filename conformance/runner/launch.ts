import { fileURLToPath } from 'node:url';

export const DAEMONS = ['keyd', 'certd', 'identityd'] as const;
export type Daemon = (typeof DAEMONS)[number];

/** How the daemons under test are started. */
export interface Launch {
  /** Program that is given the daemon's name as its argument, and its link name (`aziot-keyd`) as argv[0]. */
  readonly program: string;
  /**
   * Folder of the sockets when the daemons do not read `[endpoints]` (a release build of the Rust daemons); undefined when
   * they do, and every world has sockets of its own.
   */
  readonly fixedSockets?: string;
}

const OWN = fileURLToPath(new URL('../../impl/bin/aziotd', import.meta.url));

/**
 * The daemons to test: `AZIOT_CONFORMANCE_AZIOTD` (default: those of this project) and, for daemons that cannot be told their
 * sockets, `AZIOT_CONFORMANCE_SOCKET_DIR`.
 */
export function launchFromEnv(env: NodeJS.ProcessEnv = process.env): Launch {
  const program = env['AZIOT_CONFORMANCE_AZIOTD'] || OWN;
  const fixedSockets = env['AZIOT_CONFORMANCE_SOCKET_DIR'];
  return fixedSockets ? { program, fixedSockets } : { program };
}
