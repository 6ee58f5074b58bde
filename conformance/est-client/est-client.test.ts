import { expect, test } from 'vitest';
import { estGroups } from '../est/index.ts';
import { registryDefects } from '../runner/index.ts';
import { testGroups } from '../testing/index.ts';
import { estChecklist, renewalChecklist } from './checklists.ts';
import { enrolments } from './enrolments.ts';
import { renewals } from './renewals.ts';

test('each id of the checklists has a handler (some are for servers), recorded exchanges or a reason', () => {
  expect(registryDefects([enrolments, renewals, ...estGroups], [estChecklist, renewalChecklist])).toEqual([]);
});

testGroups([enrolments, renewals], ({ id, text }) => `${id} ${text}`);
