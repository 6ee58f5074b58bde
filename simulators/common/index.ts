export type { CertificateWish } from './certificate-writer.ts';
export { type Clock, ManualClock, SystemClock } from './clock.ts';
export { createFaultScript, type Fault, type FaultRule, type FaultScript } from './faults.ts';
export {
  type FrontDoor,
  type FrontDoorAnswer,
  type FrontDoorOptions,
  type FrontDoorRequest,
  type ServerCertificate,
  startFrontDoor,
} from './front-door.ts';
export { createJournal, type Journal, type JournalEntry } from './journal.ts';
export { createTestPki, readPemChain, type TestCa, type TestIdentity, type TestPki } from './pki.ts';
export { openStateStore, type StateStore } from './state-store.ts';
