import { testChain } from './golden-tests.ts';

await testChain('at start');
