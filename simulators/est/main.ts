// The `aziot-est-simulator` command.
import { createTestPki } from '../common/index.ts';
import { openFolder, writeClientFiles } from './command/files.ts';
import { greeting, greetingJson } from './command/greeting.ts';
import { HELP } from './command/help.ts';
import { type EstCommand, readCommandLine } from './command/options.ts';
import { readSettings } from './command/settings.ts';
import { createEstSimulator, startEstControl, TurnableClock } from './index.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of SIGNALS) process.once(name, () => resolve());
  });
}

async function run(command: EstCommand): Promise<void> {
  const stopped = untilStopped();
  const folder = await openFolder(command.dataDir);
  const closing: (() => Promise<void>)[] = [folder.remove];
  try {
    const clock = new TurnableClock();
    const pki = await createTestPki({ stateDir: folder.path });
    const est = await createEstSimulator({ ...(await readSettings(command, pki)), pki, clock });
    closing.unshift(() => est.close());
    const control = await startEstControl(est, { port: command.controlPort });
    closing.unshift(() => control.close());
    const files = await writeClientFiles(folder.path, pki, est.caPem);
    const where = { url: est.url, controlUrl: control.url, files };
    process.stdout.write(command.output === 'json' ? greetingJson(where) : greeting(where));
    await stopped;
  } finally {
    for (const close of closing) await close();
  }
}

// a reader that has gone (`| head`) is no reason to end
process.stdout.on('error', () => {});

const commandLine = readCommandLine(process.argv.slice(2));
switch (commandLine.kind) {
  case 'help':
    process.stdout.write(HELP);
    break;
  case 'invalid':
    process.stderr.write(`aziot-est-simulator: ${commandLine.message}\nfor help: aziot-est-simulator --help\n`);
    process.exitCode = 2;
    break;
  case 'run':
    await run(commandLine.command).catch((error: unknown) => {
      process.stderr.write(`aziot-est-simulator: ${(error as Error).message}\n`);
      process.exitCode = 1;
    });
    break;
}
