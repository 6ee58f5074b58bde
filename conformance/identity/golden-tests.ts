import { goldenGroups } from '../runner/index.ts';
import { testGroups } from '../testing/index.ts';
import { goldenIdentity } from './golden-identity.ts';

/** Declares the tests of one chain of the recorded exchanges (`recorded/chains.ts`). */
export async function testChain(chain: string): Promise<void> {
  const groups = await goldenGroups(goldenIdentity);
  testGroups(
    groups.filter(({ name }) => name === `golden identity: ${chain}`),
    ({ id }) => id,
  );
}
