import { systemClock } from './clock.ts';
import { causeChain, type RunningDaemon, type StartDaemon } from './daemon.ts';
import { logOutput } from './log-output.ts';
import { createLogger } from './logger.ts';

/** How long a stopping daemon may take before it is ended anyway. */
const STOP_LIMIT_MS = 5000;
const STDERR_FD = 2;

/**
 * Runs one daemon in this process until SIGTERM or SIGINT: log on stderr, cause and exit 1 when it cannot start, drain and exit 0 at a
 * signal (spec/transport.md 1 and 10; stricter: the reference dies by the signal).
 */
export async function runDaemon(options: {
  readonly name: string;
  readonly version: string;
  readonly start: StartDaemon;
}): Promise<void> {
  const output = logOutput(STDERR_FD);
  const log = createLogger({
    target: options.name.replaceAll('-', '_'),
    filter: process.env['AZIOT_LOG'],
    write: (line, level) => output.write(line, level),
    now: () => systemClock.now(),
  });
  const leave = (code: number): never => {
    output.flush();
    process.exit(code);
  };
  const fail = (error: unknown): never => {
    const [first = 'unknown error', ...causes] = causeChain(error);
    log.error(first);
    for (const cause of causes) log.error(`caused by: ${cause}`);
    return leave(1);
  };
  process.on('uncaughtException', (error) => {
    log.error(`a fault that nobody handled: ${error.stack ?? error.message}`);
  });
  process.on('unhandledRejection', (error) => {
    log.error(
      `a fault that nobody handled: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );
  });

  log.info(`Starting service: ${options.name}`);
  log.info(`Version - ${options.version}`);
  // before the start: whoever has seen the socket may send a signal at once
  const starting = Promise.withResolvers<RunningDaemon>();
  const stop = (signal: string) => {
    log.info(`Stopping on ${signal}`);
    setTimeout(() => leave(0), STOP_LIMIT_MS).unref();
    starting.promise.then((daemon) => daemon.close()).then(() => leave(0), fail);
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  try {
    starting.resolve(await options.start({ env: process.env, log, clock: systemClock }));
  } catch (error) {
    fail(error);
  }
}
