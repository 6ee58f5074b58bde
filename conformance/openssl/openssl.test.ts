import { testRequirements } from '../testing/index.ts';
import { opensslChecklist, opensslGroups } from './index.ts';

testRequirements(opensslGroups, opensslChecklist);
