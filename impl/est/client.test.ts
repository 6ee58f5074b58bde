import { beforeEach, expect, test } from 'vitest';
import { enrol, renewWorld, URL_BASE, world } from './testing/client-world.ts';

beforeEach(renewWorld);

test('simplereenroll is asked for where it is wanted', async () => {
  await enrol({ operation: 'simplereenroll' });
  expect(world.sent.map(({ url }) => url)).toEqual([`${URL_BASE}/cacerts`, `${URL_BASE}/simplereenroll`]);
});

test('both requests ask for a connection that is kept', async () => {
  await enrol();
  expect(world.sent.map(({ connection }) => connection)).toEqual(['kept', 'kept']);
});
