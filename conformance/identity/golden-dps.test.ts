import { testChain } from './golden-tests.ts';

await testChain('by DPS');
