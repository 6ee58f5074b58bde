import { testChain } from './golden-tests.ts';

await testChain('in change');
