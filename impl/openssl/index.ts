export type { KeydEngineOptions, KeydIdentity } from './keyd-engine.ts';
export { enginePath, keydSecureContextOptions, useKeydEngine } from './keyd-engine.ts';
