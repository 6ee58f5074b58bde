import assert from 'node:assert/strict';
import { type CloudLink, startIdentityd } from '../cloud/index.ts';
import { besideEachOther, type Context, exchange, expectStatus, type World } from '../runner/index.ts';
import { byDps, deviceWith, HUB_KEYS, requestsTo, VECTOR_KEY } from './device.ts';

const REGISTER = '/register?';
const POLL = '/operations/';
const ASSIGNING = { operationId: 'op-1', status: 'assigning', registrationState: { registrationId: 'Dev-01' } };
const ASSIGNED = { assignedHub: 'hub1.iot.test', deviceId: 'Dev-01', registrationId: 'Dev-01' };

/** Milliseconds between the beginnings of register, first poll, second poll and so on, until DPS has assigned the device. */
async function pauses(link: CloudLink & { world: World }, polls: number): Promise<readonly number[]> {
  await startIdentityd(link.world);
  const target = '/identities/device?api-version=2022-08-01';
  const request = { method: 'POST', target, body: { type: 'aziot' } };
  expectStatus(await exchange(link.world.socket('identityd'), 0, request), 200);
  const times = (await requestsTo(link, 'dps', polls + 1)).map(({ time }) => time);
  return times.slice(1).map((time, at) => time - (times[at] ?? 0));
}

/** A DPS that says this to the registration, to each poll but the last, and assigns the device at the last. */
async function scripted(
  context: Context,
  { polls, headers }: { readonly polls: number; readonly headers?: Readonly<Record<string, string>> },
) {
  const link = await deviceWith(context, { provisioning: byDps('0ne00Test01', 'Dev-01'), key: VECTOR_KEY });
  await link.cloud.putDevice('Dev-01', { authentication: HUB_KEYS });
  const answer = (status: number, body: object) => ({ kind: 'status', status, body: JSON.stringify(body), headers });
  await link.cloud.fault('dps', answer(202, ASSIGNING), { where: REGISTER, times: 1 });
  if (polls > 1) await link.cloud.fault('dps', answer(202, ASSIGNING), { where: POLL, times: polls - 1 });
  const last = { operationId: 'op-1', status: 'assigned', registrationState: ASSIGNED };
  await link.cloud.fault('dps', answer(200, last), { where: POLL, times: 1 });
  return link;
}

function expectPauses(found: readonly number[], seconds: number): void {
  for (const pause of found) {
    // half a second either way in the document; the machine of the run may be slow, never early
    assert.ok(pause >= seconds * 1000 - 500 && pause <= seconds * 1000 + 1500, `pauses of ${found.join(', ')} ms`);
  }
}

export const polls = besideEachOther('identityd polls DPS', {
  'CL-014': [
    'the first poll comes 5 s after the registration, the next 5 s later, where DPS names no pause',
    'spec',
    async (context) => expectPauses(await pauses(await scripted(context, { polls: 2 }), 2), 5),
  ],
  'CL-014/retry-after': [
    'polls are as far apart as Retry-After says',
    'spec',
    async (context) => {
      const headers = { 'retry-after': '2' };
      expectPauses(await pauses(await scripted(context, { polls: 3, headers }), 3), 2);
    },
  ],
});
