export { Context, type SharedWorld, Skipped } from './context.ts';
export { DaemonProcess, type Ended } from './daemon-process.ts';
export { answered, exchange, expectError, expectStatus, jsonOf, stringMember } from './exchange.ts';
export { GoldenRun, type Replay, type Scenario } from './golden.ts';
export { asRecorded, loadDifferences, orAsRecorded } from './golden-differences.ts';
export { loadGolden, type RecordedExchange } from './golden-file.ts';
export { goldenGroups } from './golden-group.ts';
export { fits, idsIn } from './ids.ts';
export {
  type CloudProgram,
  cloudFromEnv,
  DAEMONS,
  type Daemon,
  engineFromEnv,
  type Launch,
  launchFromEnv,
  leftOutOnPurpose,
  referenceFromEnv,
} from './launch.ts';
export type { Level, Need } from './level.ts';
export {
  besideEachOther,
  type Checklist,
  type Group,
  group,
  type Requirement,
  registryDefects,
  requirementId,
  type Source,
} from './requirement.ts';
export { judge, type Outcome } from './run.ts';
export { currentTrace } from './trace.ts';
export {
  header,
  requestBytes,
  type WireAnswer,
  type WireClosed,
  WireConnection,
  type WireRequest,
  type WireResult,
} from './wire.ts';
export { type DaemonConfig, type StartOptions, World } from './world.ts';
