import { testRequirements } from '../testing/index.ts';
import { cloudClientGroups, endCloudTarget } from './index.ts';

testRequirements(cloudClientGroups, [], endCloudTarget);
