import { testRequirements } from '../testing/index.ts';
import { dpsGroups, endCloudTarget } from './index.ts';

testRequirements(dpsGroups, [], endCloudTarget);
