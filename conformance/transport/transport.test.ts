import { testRequirements } from '../testing/index.ts';
import { transportChecklist, transportGroups } from './index.ts';

testRequirements(transportGroups, transportChecklist);
