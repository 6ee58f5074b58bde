import { testGolden } from '../testing/index.ts';
import { certificatesGolden } from './index.ts';

await testGolden(...certificatesGolden);
