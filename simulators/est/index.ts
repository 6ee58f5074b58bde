export type { BasicCredential, EstAuth } from './authenticate.ts';
export { createEstSimulator, type EstSimulator, type EstSimulatorOptions } from './est-simulator.ts';
export type { BodyForm, EstQuirks } from './quirks.ts';
