// The `aziot-sandbox` command.
import { Cleanup } from './cleanup.ts';
import type { CloudRequest } from './cloud.ts';
import { coloursFor } from './colours.ts';
import { type Daemon, type DaemonName, describeExit } from './daemon-process.ts';
import { openFolders, removeTemporary } from './folders.ts';
import { HELP } from './help.ts';
import { lookAtMachine } from './machine.ts';
import { type Options, readCommandLine } from './options.ts';
import { jsonDocument } from './outcome.ts';
import { reasonOf, StepFailure } from './step-failure.ts';
import { Steps } from './steps.ts';
import { tellStory } from './story.ts';
import { renderTable } from './table.ts';
import { hostUser } from './unix-user.ts';

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The simulators come with large libraries: loaded when they are needed. */
async function openCloud(request: CloudRequest) {
  return (await import('./open-cloud.ts')).openCloud(request);
}

/** A request to stop: the exit code that goes with it where it comes before the story's end. */
function onStop(): { signal: AbortSignal; exitCode: () => number } {
  const stop = new AbortController();
  let code = 0;
  for (const [name, number] of Object.entries(SIGNALS)) {
    process.on(name, () => {
      if (stop.signal.aborted) return;
      code = number;
      stop.abort(new Error(`stopped by ${name}`));
    });
  }
  return { signal: stop.signal, exitCode: () => code };
}

/** Should this process end without having stopped its daemons, they end with it. */
function endWithUs(daemons: ReadonlyMap<DaemonName, Daemon>): void {
  process.on('exit', () => {
    for (const daemon of daemons.values()) {
      if (daemon.exit() !== undefined || daemon.pid === 0) continue;
      try {
        process.kill(daemon.pid, 'SIGKILL');
      } catch {
        // it has ended in this very moment
      }
    }
  });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  // a listener alone does not keep the process alive
  const alive = setInterval(() => {}, 1 << 30);
  return new Promise((resolve) => {
    const end = () => {
      clearInterval(alive);
      resolve();
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}

async function run(options: Options): Promise<number> {
  const stop = onStop();
  const cleanup = new Cleanup();
  const err = coloursFor(process.stderr, process.env);
  const tell = (text: string) => process.stderr.write(text);
  try {
    const ownUid = process.getuid?.() ?? 0;
    const host = await hostUser(options.hostUser, ownUid);
    const runtimeDir = process.env['XDG_RUNTIME_DIR'];
    const folders = await openFolders({ dataDir: options.dataDir, ownUid, hostUid: host.uid, runtimeDir });
    cleanup.add(() => removeTemporary(folders));
    const now = () => performance.now();
    const steps = new Steps({ out: process.stderr, colours: err, now, signal: stop.signal });
    const machine = await lookAtMachine(process.env);
    const tools = { options, machine, folders, host, ownUid, steps, cleanup, signal: stop.signal, openCloud, now };
    const daemons = new Map<DaemonName, Daemon>();
    endWithUs(daemons);
    const outcome = await tellStory(tools, daemons);
    if (options.output === 'json') process.stdout.write(`${JSON.stringify(jsonDocument(outcome), undefined, 2)}\n`);
    else process.stdout.write(renderTable(outcome, coloursFor(process.stdout, process.env), Date.now()));
    if (options.life === 'stay') {
      for (const daemon of daemons.values()) {
        daemon.ended.then((exit) => {
          if (!stop.signal.aborted) tell(`${err.red('!')} ${daemon.name} ${describeExit(exit)}\n`);
        });
      }
      tell(`  ${err.dim('Ctrl-C stops everything')}\n`);
      await untilAborted(stop.signal);
      tell(`  ${err.dim('stopping')}\n`);
    }
    return 0;
  } catch (error) {
    if (stop.signal.aborted) return stop.exitCode();
    if (error instanceof StepFailure) tell(`\n${err.red(error.message)}\n`);
    else tell(`aziot-sandbox: ${reasonOf(error)}\n`);
    return 1;
  } finally {
    for (const failure of await cleanup.run()) tell(`aziot-sandbox: while stopping: ${reasonOf(failure)}\n`);
  }
}

// a reader that has gone (`| head`) is no reason to leave daemons behind
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});

const commandLine = readCommandLine(process.argv.slice(2));
switch (commandLine.kind) {
  case 'help':
    process.stdout.write(HELP);
    break;
  case 'invalid':
    process.stderr.write(`aziot-sandbox: ${commandLine.message}\nfor help: aziot-sandbox --help\n`);
    process.exitCode = 2;
    break;
  case 'run':
    process.exitCode = await run(commandLine.options);
    break;
}
