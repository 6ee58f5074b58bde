import type { Checklist, Group, Scenario } from '../runner/index.ts';
import { authorisation } from './authorisation.ts';
import { KEYS_GOLDEN } from './golden-keys.ts';
import { badBodies, protocol } from './protocol.ts';
import { recorded } from './recorded.ts';
import { storage } from './storage.ts';

export const keysGroups: readonly Group[] = [protocol, badBodies, authorisation, storage];
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
    96: 'needs a token without generic secrets; see the awkward module of test/',
    97: 'needs a token that counts its logins; see the awkward module of test/',
    98: 'needs a module that fails at its load; see the awkward module of test/',
    99: 'judged by the unit tests of the URI reader',
    102: 'needs a token that is prepared with foreign objects',
    103: 'needs a module of Cryptoki 3.0; see the awkward module of test/',
    104: 'judged as TR-037/keyd and TR-038/keyd',
    105: 'judged as TR-034/keyd and TR-036/keyd',
    106: 'needs a device directory of the reference; KS-059 judges handles, keys-files#aead-decrypt-v1 old ciphertexts',
    107: 'judged by every answer of 500 in the recorded exchanges',
  },
};
