import { testRequirements } from '../testing/index.ts';
import { endTarget, estGroups } from './index.ts';

testRequirements(estGroups, [], endTarget);
