import { testRequirements } from '../testing/index.ts';
import { tpmChecklist, tpmGroups } from './index.ts';

testRequirements(tpmGroups, tpmChecklist);
