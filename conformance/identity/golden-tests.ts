import { goldenGroup } from '../runner/index.ts';
import { testGroups } from '../testing/index.ts';
import { goldenIdentity } from './golden-identity.ts';

/** Declares the tests of the recorded exchanges of these scenarios; a scenario rests on no other. */
export async function testRecordedScenarios(wanted: (scenario: string) => boolean): Promise<void> {
  const { name, requirements } = await goldenGroup(goldenIdentity);
  const some = requirements.filter(({ id }) => wanted(/#([^/]+)\//.exec(id)?.[1] ?? ''));
  testGroups([{ name, requirements: some }], ({ id }) => id);
}
