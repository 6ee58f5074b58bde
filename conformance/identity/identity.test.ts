import { testRequirements } from '../testing/index.ts';
import { identityChecklist, identityGroups } from './index.ts';

testRequirements(identityGroups, identityChecklist);
