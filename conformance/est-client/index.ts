import type { Group } from '../runner/index.ts';
import { enrolments } from './enrolments.ts';
import { goldenEstAlone, goldenEstWire } from './golden-est-wire.ts';
import { renewals } from './renewals.ts';

export {
  type Authorities,
  CA,
  DAY_MS,
  type Holder,
  issueHolder,
  makeAuthorities,
  newKey,
  pemOf,
  privatePem,
  utf8Name,
} from './ca.ts';
export { certificateFile } from './certificate-file.ts';
export { estChecklist, renewalChecklist } from './checklists.ts';
export { type Responder, startResponder } from './responder.ts';

export const estClientGroups: readonly Group[] = [enrolments, renewals, goldenEstWire, goldenEstAlone];
