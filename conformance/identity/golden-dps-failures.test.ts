import { testChain } from './golden-tests.ts';

await testChain('DPS fails');
