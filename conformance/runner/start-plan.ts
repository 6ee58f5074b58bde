import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Daemon, Launch } from './launch.ts';

/** What is started for one daemon, and how it is ended. */
export interface StartPlan {
  readonly program: string;
  readonly args: readonly string[];
  readonly argv0?: string;
  readonly env: Readonly<Record<string, string>>;
  readonly uid?: number;
  /** The arguments of `program` that stop the daemon, or send it a signal; absent: the signal goes to the process itself. */
  readonly stopArgs?: readonly string[];
  readonly killArgs?: (signal: NodeJS.Signals) => readonly string[];
}

/** One start: where the world is, what the daemon is told, and as whom it runs (undefined: as the suite). */
export interface Start {
  readonly daemon: Daemon;
  readonly root: string;
  readonly socket: string;
  readonly env: Readonly<Record<string, string>>;
  readonly uid?: number;
}

/** How the driver of a launch starts a daemon. */
export function startPlan(launch: Launch, start: Start): StartPlan {
  switch (launch.driver) {
    case 'command':
      return commandPlan(launch.program, start);
    case 'aziotd-rust':
      return namespacePlan(launch.program, start);
    default:
      return {
        ...as(start),
        program: launch.program,
        args: [start.daemon],
        argv0: `aziot-${start.daemon}`,
        env: start.env,
      };
  }
}

/** The variables that an adapter of driver `command` is given with every verb. */
export function adapterEnv({ daemon, root, socket, env }: Start): Record<string, string> {
  return {
    ...env,
    AZIOT_CONFORMANCE_WORLD: root,
    AZIOT_CONFORMANCE_SOCKET: socket,
    AZIOT_CONFORMANCE_CONFIG: join(root, daemon, 'config.toml'),
    AZIOT_CONFORMANCE_CONFIG_DIR: join(root, daemon, 'config.d'),
  };
}

function commandPlan(program: string, start: Start): StartPlan {
  const { daemon, uid } = start;
  const args = uid === undefined ? ['start', daemon] : ['as', String(uid), 'start', daemon];
  const env = adapterEnv(start);
  return { program, args, env, stopArgs: ['stop', daemon], killArgs: (signal) => ['kill', daemon, signal] };
}

/**
 * In a mount namespace of its own, the world's `run` folder stands in the place of `/run/aziot`: the sockets that a release build puts
 * there appear in the world, and the machine's own are not touched. The library of keyd is looked for beside the binaries first. Every
 * step replaces its process, so that a `LISTEN_PID` stays right; the name comes last, as `setpriv` gives a program its own. Needs root.
 */
const IN_NAMESPACE = `set -e
run=$1 name=$2 program=$3
shift 3
if [ ! -d /run/aziot ]; then mount -t tmpfs none /run; mkdir /run/aziot; fi
mount --bind "$run" /run/aziot
export LD_LIBRARY_PATH="$(dirname "$program")\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$@" /bin/bash -c 'exec -a "$0" "$1"' "$name" "$program"`;

function namespacePlan(folder: string, { daemon, root, env, uid }: Start): StartPlan {
  const name = `aziot-${daemon}`;
  const program =
    [join(folder, name), join(folder, 'aziotd')].find((path) => existsSync(path)) ?? join(folder, 'aziotd');
  const drop = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, '--clear-groups'];
  const inside = ['/bin/bash', '-c', IN_NAMESPACE, 'bash', join(root, 'run'), name, program, ...drop];
  return { program: 'unshare', args: ['--mount', '--propagation', 'private', ...inside], env };
}

function as({ uid }: Start): { uid?: number } {
  return uid === undefined ? {} : { uid };
}
