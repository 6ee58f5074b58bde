export { startTpm, tpmMissing } from './software-tpm.ts';

import type { Checklist, Group, Scenario } from '../runner/index.ts';
import { authorisation } from './authorisation.ts';
import { engineRequests } from './engine-requests.ts';
import { KEYS_GOLDEN } from './golden-keys.ts';
import { keyPairs } from './key-pairs.ts';
import { keydProcess } from './process.ts';
import { badBodies, protocol } from './protocol.ts';
import { recorded } from './recorded.ts';
import { reload } from './reload.ts';
import { storage } from './storage.ts';
import { symmetricKeys } from './symmetric.ts';
import { takeOverOfDevices } from './take-over.ts';
import { tokens } from './tokens.ts';

export { Caller } from './caller.ts';
export { compilerMissing } from './native.ts';
export { p256Key } from './public-key.ts';
export { importIntoToken, prepareToken, STORES, type Store, tokenMissing } from './stores.ts';

export const keysGroups: readonly Group[] = [
  protocol,
  badBodies,
  authorisation,
  keydProcess,
  reload,
  storage,
  ...symmetricKeys,
  ...keyPairs,
  ...tokens,
  ...takeOverOfDevices,
  ...engineRequests,
];
export const keysGolden: readonly Scenario[] = Object.values(KEYS_GOLDEN);

/** keys-service.md, checklist of a hundred and seven. */
export const keysChecklist: Checklist = {
  prefix: 'KS',
  count: 107,
  recorded,
  without: {},
};
