import { testRequirements } from '../testing/index.ts';
import { edgeChecklist, edgeGroups } from './index.ts';

testRequirements(edgeGroups, edgeChecklist);
