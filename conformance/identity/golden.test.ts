import { testGolden } from '../testing/index.ts';
import { goldenIdentity } from './golden-identity.ts';

await testGolden(goldenIdentity);
