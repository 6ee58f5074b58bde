import type { Checklist, Group, Scenario } from '../runner/index.ts';
import { authorisation } from './authorisation.ts';
import { KEYS_GOLDEN } from './golden-keys.ts';
import { keyPairs } from './key-pairs.ts';
import { badBodies, protocol } from './protocol.ts';
import { recorded } from './recorded.ts';
import { storage } from './storage.ts';
import { symmetricKeys } from './symmetric.ts';
import { takeOverOfDevices } from './take-over.ts';
import { tokens } from './tokens.ts';

export const keysGroups: readonly Group[] = [
  protocol,
  badBodies,
  authorisation,
  storage,
  ...symmetricKeys,
  ...keyPairs,
  ...tokens,
  ...takeOverOfDevices,
];
export const keysGolden: readonly Scenario[] = Object.values(KEYS_GOLDEN);

/** keys-service.md, checklist of a hundred and seven. */
export const keysChecklist: Checklist = {
  prefix: 'KS',
  count: 107,
  recorded,
  without: {
    25: 'judged as TR-033/keyd',
    36: 'judged with KS-035',
    37: 'a setting that has no effect at run time; judged when the whole reload is',
    38: 'judged as TR-047/keyd and TR-048/keyd',
    39: 'judged as TR-045/keyd',
    104: 'judged as TR-037/keyd and TR-038/keyd',
    105: 'judged as TR-034/keyd and TR-036/keyd',
  },
};
