import { expect, test } from 'vitest';
import { estGroups } from '../est/index.ts';
import { registryDefects } from '../runner/index.ts';
import { testBesideEachOther } from '../testing/index.ts';
import { estChecklist, renewalChecklist } from './checklists.ts';
import { enrolments } from './enrolments.ts';
import { renewals } from './renewals.ts';

test('each id of the checklists has a handler (some are for servers), recorded exchanges or a reason', () => {
  expect(registryDefects([enrolments, renewals, ...estGroups], [estChecklist, renewalChecklist])).toEqual([]);
});

for (const { name, requirements } of [enrolments, renewals]) testBesideEachOther(name, requirements);
