import { testGolden } from '../testing/index.ts';
import { tpmGolden } from './golden-tpm.ts';

await testGolden(tpmGolden);
