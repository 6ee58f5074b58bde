import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { leftOutOnPurpose, type World } from '../runner/index.ts';

const MODULES = [
  '/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so',
  '/usr/lib/aarch64-linux-gnu/pkcs11/libtpm2_pkcs11.so',
  '/usr/lib/x86_64-linux-gnu/libtpm2_pkcs11.so.1',
];
/** The PKCS#11 module of tpm2-pkcs11, where it is installed. */
export const TPM_MODULE = MODULES.find((path) => existsSync(path));

const NEEDED: Readonly<Record<string, string>> = {
  '/usr/bin/swtpm': 'swtpm',
  '/usr/bin/pkcs11-tool': 'opensc',
  '/usr/bin/dbus-daemon': 'dbus-daemon',
  '/usr/sbin/tpm2-abrmd': 'tpm2-abrmd',
};

/** Why there can be no TPM token on this machine; undefined when there can. */
export function tpmMissing(): string | undefined {
  const leftOut = leftOutOnPurpose('tpm');
  if (leftOut !== undefined) return leftOut;
  const missing = Object.entries(NEEDED).filter(([path]) => !existsSync(path));
  const packages = [...(TPM_MODULE ? [] : ['libtpm2-pkcs11-1']), ...missing.map(([, name]) => name)];
  return packages.length === 0 ? undefined : `not installed here: apt-get install ${packages.join(' ')}`;
}

const BUS_NAME = 'com.intel.tss2.Tabrmd';

/**
 * Starts a software TPM for the world, with a resource manager before it, as the kernel has one (`/dev/tpmrm0`): a TPM holds
 * three loaded objects, and the PKCS#11 module keeps each key that was used loaded. All listen on unix sockets in the world's
 * folder. Points the world's environment at them.
 */
export async function startTpm(world: World): Promise<void> {
  await mkdir(world.path('tpm'));
  await mkdir(world.path('tpm-store'));
  const tpm = world.path('swtpm.sock');
  const server = ['--server', `type=unixio,path=${tpm}`, '--ctrl', `type=unixio,path=${tpm}.ctrl`];
  const state = ['--tpmstate', `dir=${world.path('tpm')}`, '--flags', 'not-need-init,startup-clear'];
  await start(world, 'swtpm', ['socket', '--tpm2', ...state, ...server], (running) =>
    listensOn(`${tpm}.ctrl`, running),
  );
  const bus = world.path('bus.sock');
  const policy = '<allow send_destination="*" eavesdrop="true"/><allow eavesdrop="true"/><allow own="*"/>';
  await world.file(
    'bus.conf',
    `<busconfig><type>session</type><listen>unix:path=${bus}</listen><auth>EXTERNAL</auth><policy context="default">${policy}</policy></busconfig>`,
  );
  const busArgs = [`--config-file=${world.path('bus.conf')}`, '--nofork', '--nopidfile'];
  await start(world, 'dbus-daemon', busArgs, (running) => listensOn(bus, running));
  world.env['DBUS_SESSION_BUS_ADDRESS'] = `unix:path=${bus}`;
  const root = process.geteuid?.() === 0 ? ['--allow-root'] : [];
  const manager = ['--session', ...root, '--max-transients=100', `--tcti=swtpm:path=${tpm}`, `--dbus-name=${BUS_NAME}`];
  await start(world, '/usr/sbin/tpm2-abrmd', manager, (running) => says(running, /on_name_acquired/));
  world.env['TPM2_PKCS11_STORE'] = world.path('tpm-store');
  world.env['TPM2_PKCS11_TCTI'] = `tabrmd:bus_type=session,bus_name=${BUS_NAME}`;
  world.env['TPM2_PKCS11_LOG_LEVEL'] = '0';
  world.env['TSS2_LOG'] = 'all+none';
}

/** Starts a program that ends with the world, and waits until it is ready; rejects when it ends before. */
async function start(
  world: World,
  program: string,
  args: readonly string[],
  ready: (running: ChildProcess) => Promise<void>,
): Promise<void> {
  const env = { ...process.env, ...world.env, G_MESSAGES_DEBUG: 'all' };
  const running = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], env });
  const ended = new Promise<never>((_, reject) => {
    running.once('error', reject);
    running.once('exit', (code, signal) => reject(new Error(`${program} ended at its start: ${code ?? signal}`)));
  });
  ended.catch(() => undefined);
  world.onDispose(async () => {
    running.kill('SIGKILL');
    if (running.exitCode === null && running.signalCode === null) await once(running, 'exit');
  });
  await Promise.race([ready(running), ended]);
  running.stdout?.resume();
}

async function listensOn(path: string, running: ChildProcess): Promise<void> {
  while (running.exitCode === null && running.signalCode === null) {
    const socket = connect(path);
    const accepted = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (accepted) return;
    await delay(10);
  }
}

async function says(running: ChildProcess, pattern: RegExp): Promise<void> {
  let said = '';
  for await (const piece of running.stdout ?? []) {
    said += String(piece);
    if (pattern.test(said)) return;
  }
}
