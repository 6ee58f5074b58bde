export { type Clock, systemClock } from './clock.ts';
export { type Counters, type CounterValue, createCounters } from './counters.ts';
export { causeChain, type DaemonContext, type RunningDaemon, type StartDaemon } from './daemon.ts';
export { createLogger, type Logger, type LogLevel } from './logger.ts';
export { runDaemon } from './run-daemon.ts';
