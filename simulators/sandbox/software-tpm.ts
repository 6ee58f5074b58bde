import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Cleanup } from './cleanup.ts';
import { accepts, startHelper } from './helper-process.ts';

const BUS_NAME = 'com.intel.tss2.Tabrmd';
const RESOURCE_MANAGER = '/usr/sbin/tpm2-abrmd';

/** A TPM in software, and how programs reach it. */
export interface SoftwareTpm {
  /** The TCTI string. */
  readonly tcti: string;
  /** What a program needs in its environment for that. */
  readonly env: Readonly<Record<string, string>>;
}

/** Where it lies, and whether several programs use it at a time: then a resource manager stands before it, as the kernel has one. */
export interface SoftwareTpmPlace {
  /** Its state; the same TPM at every start. */
  readonly stateFolder: string;
  /** Its sockets. */
  readonly runFolder: string;
  readonly sharing: 'one-program' | 'resource-manager';
}

async function startSwtpm({ stateFolder, runFolder }: SoftwareTpmPlace, cleanup: Cleanup): Promise<string> {
  const path = join(runFolder, 'tpm.sock');
  const args = [
    ...['socket', '--tpm2', '--tpmstate', `dir=${stateFolder},mode=0600`],
    ...['--server', `type=unixio,path=${path},mode=0600`, '--ctrl', `type=unixio,path=${path}.ctrl,mode=0600`],
    ...['--flags', 'not-need-init,startup-clear'],
  ];
  const helper = await startHelper({ program: 'swtpm', args, ready: () => accepts(path) });
  cleanup.add(() => helper.stop());
  return path;
}

/** Whether a name is taken on the bus. */
async function isOnBus(env: NodeJS.ProcessEnv): Promise<boolean> {
  const method = ['--method', 'org.freedesktop.DBus.NameHasOwner', BUS_NAME];
  const target = ['--dest', 'org.freedesktop.DBus', '--object-path', '/org/freedesktop/DBus'];
  try {
    const { stdout } = await promisify(execFile)('gdbus', ['call', '--session', ...target, ...method], { env });
    return stdout.includes('true');
  } catch {
    return false;
  }
}

async function startManager({ runFolder }: SoftwareTpmPlace, tpmPath: string, cleanup: Cleanup): Promise<SoftwareTpm> {
  const bus = join(runFolder, 'bus.sock');
  const config = join(runFolder, 'bus.conf');
  const policy = '<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>';
  await writeFile(
    config,
    `<busconfig><type>session</type><listen>unix:path=${bus}</listen><auth>EXTERNAL</auth><policy context="default">${policy}</policy></busconfig>`,
    { mode: 0o600 },
  );
  const busArgs = [`--config-file=${config}`, '--nofork', '--nopidfile'];
  const daemon = await startHelper({ program: 'dbus-daemon', args: busArgs, ready: () => accepts(bus) });
  cleanup.add(() => daemon.stop());
  const env = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus}` };
  const asRoot = process.geteuid?.() === 0 ? ['--allow-root'] : [];
  const args = [
    '--session',
    ...asRoot,
    '--max-transients=100',
    `--tcti=swtpm:path=${tpmPath}`,
    `--dbus-name=${BUS_NAME}`,
  ];
  const whole = { ...process.env, ...env };
  const manager = await startHelper({ program: RESOURCE_MANAGER, args, env: whole, ready: () => isOnBus(whole) });
  cleanup.add(() => manager.stop());
  return { tcti: `tabrmd:bus_type=session,bus_name=${BUS_NAME}`, env };
}

/** Starts a software TPM with its state in a folder; it ends with the sandbox. @throws Error when a program does not come up */
export async function startSoftwareTpm(place: SoftwareTpmPlace, cleanup: Cleanup): Promise<SoftwareTpm> {
  const path = await startSwtpm(place, cleanup);
  return place.sharing === 'resource-manager'
    ? startManager(place, path, cleanup)
    : { tcti: `swtpm:path=${path}`, env: {} };
}
