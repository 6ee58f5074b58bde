import { exchange, expectError, expectStatus, group } from '../runner/index.ts';
import { SUBJECTS } from './subject.ts';

/** Paths that came with a later api-version. */
export const version = group('api-versions', {
  'TR-005': [
    'a path of a later api-version is 404 in an earlier one',
    'spec',
    async (context) => {
      const subject = SUBJECTS.find(({ daemon }) => daemon === 'identityd');
      if (!subject) throw new Error('no subject for identityd');
      const socket = (await context.shared(subject.world)).socket('identityd');
      const get = (version: string) =>
        exchange(socket, 0, { method: 'GET', target: `/identities/provisioning?api-version=${version}` });
      expectError(await get('2020-09-01'), 404, 'not found');
      expectStatus(await get('2021-12-01'), 200);
    },
  ],
});
