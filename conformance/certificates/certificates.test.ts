import { testRequirements } from '../testing/index.ts';
import { certificatesChecklist, certificatesGroups } from './index.ts';

testRequirements(certificatesGroups, certificatesChecklist);
