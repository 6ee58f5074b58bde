import { testRequirements } from '../testing/index.ts';
import { endCloudTarget, hubGroups } from './index.ts';

testRequirements(hubGroups, [], endCloudTarget);
