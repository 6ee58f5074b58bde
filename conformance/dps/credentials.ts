import assert from 'node:assert/strict';
import { type DpsTarget, expectDpsError, needed, sasToken, withOtherSignature } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import { dpsOf, ended, keyed, operationOf, poll, register, tokenOf } from './device.ts';

/**
 * Shows the same token to a registration and to a poll, and expects both to be refused. The poll alone is judged where nothing may be
 * changed.
 */
async function refused(dps: DpsTarget, registrationId: string, token: string | undefined): Promise<void> {
  const answer = await poll(dps, registrationId, 'none', { token });
  expectDpsError(answer, 401);
  if (dps.guard?.readOnly) return;
  expectDpsError(await register(dps, registrationId, { token }), 401);
}

export const tokens = group('DPS tokens', {
  'DPS-020': [
    'a signature with one character changed is refused with 401',
    'azure-docs',
    async (context) => {
      const { dps, device } = await keyed(context);
      await refused(dps, device.registrationId, withOtherSignature(tokenOf(dps, device)));
    },
  ],
  'DPS-021': [
    'a token that has expired is refused with 401',
    'azure-docs',
    async (context) => {
      const { dps, device } = await keyed(context);
      await refused(dps, device.registrationId, tokenOf(dps, device, { lifetimeSeconds: -600 }));
    },
  ],
  'DPS-022': [
    'a token for another registration is refused with 401',
    'spec',
    async (context) => {
      const { dps, device } = await keyed(context);
      const resource = `${dps.scopeId}/registrations/${device.registrationId}x`;
      await refused(dps, device.registrationId, sasToken({ resource, key: device.primaryKey, policy: 'registration' }));
    },
  ],
  'DPS-023': [
    'a token for another scope is refused with 401',
    'spec',
    async (context) => {
      const { dps, device } = await keyed(context);
      const resource = `0ne000000ff/registrations/${device.registrationId}`;
      await refused(dps, device.registrationId, sasToken({ resource, key: device.primaryKey, policy: 'registration' }));
    },
  ],
  'DPS-024': [
    'a token that names a policy other than registration is refused with 401',
    'spec',
    async (context) => {
      const { dps, device } = await keyed(context);
      await refused(dps, device.registrationId, tokenOf(dps, device, { policy: 'provisioningserviceowner' }));
    },
  ],
  'DPS-025': [
    'a signature over the resource encoded otherwise than it stands is refused with 401',
    'sdk',
    async (context) => {
      const { dps, device } = await keyed(context);
      const signed = `${dps.scopeId}/registrations/${device.registrationId}`.toLowerCase().replaceAll('/', '%2F');
      await refused(dps, device.registrationId, tokenOf(dps, device, { signed }));
    },
  ],
  'DPS-026': [
    'a key of another device is refused with 401',
    'spec',
    async (context) => {
      const { dps, device } = await keyed(context);
      const { primaryKey } = needed(context, dps.other, 'other');
      await refused(dps, device.registrationId, tokenOf(dps, { registrationId: device.registrationId, primaryKey }));
    },
  ],
  'DPS-027': [
    'who shows nothing is refused with 401',
    'azure-docs',
    async (context) => {
      const { dps, device } = await keyed(context);
      await refused(dps, device.registrationId, undefined);
    },
  ],
  'DPS-028': [
    'an Authorization that is no token, lacks a field or has one twice is refused with 401',
    'spec',
    async (context) => {
      const { dps, device } = await keyed(context);
      const token = tokenOf(dps, device);
      const wrong = [
        'Basic dXNlcjpwYXNzd29yZA==',
        token.replace('SharedAccessSignature ', ''),
        ...['sr', 'sig', 'se'].map((name) => token.replace(new RegExp(`(?<=[ &])${name}=[^&]*&?`), '')),
        `${token}&${/sr=[^&]*/.exec(token)?.[0]}`,
      ];
      for (const one of wrong) await refused(dps, device.registrationId, one);
    },
  ],
  'DPS-029': [
    'the answer does not say what about a credential was wrong',
    'inferred',
    async (context) => {
      const { dps, device } = await keyed(context);
      const answers = [];
      for (const token of [
        withOtherSignature(tokenOf(dps, device)),
        tokenOf(dps, device, { lifetimeSeconds: -600 }),
        undefined,
      ])
        answers.push(expectDpsError(await poll(dps, device.registrationId, 'none', { token }), 401));
      assert.equal(new Set(answers.map(({ errorCode, message }) => `${errorCode} ${message}`)).size, 1);
    },
  ],
  'DPS-030': [
    'an operation is not shown to another device',
    'spec',
    async (context) => {
      const { dps, device } = await keyed(context);
      const other = needed(context, dps.other, 'other');
      const id = operationOf(await register(dps, device.registrationId, { token: tokenOf(dps, device) }));
      const shown = { token: tokenOf(dps, other) };
      for (const registrationId of [device.registrationId, other.registrationId]) {
        const answer = await poll(dps, registrationId, id, shown);
        expectDpsError(answer, 401, 404);
        assert.ok(!answer.body.includes('assignedHub'), answer.body);
      }
    },
  ],
  'DPS-031': [
    'a poll shows its credential as a registration does, an expired one is refused',
    'spec',
    async (context) => {
      const { dps, device } = await keyed(context);
      const { registrationId } = device;
      const id = operationOf(await register(dps, registrationId, { token: tokenOf(dps, device) }));
      for (const token of [undefined, tokenOf(dps, device, { lifetimeSeconds: -60 })])
        expectDpsError(await poll(dps, registrationId, id, { token }), 401);
    },
  ],
  'DPS-032': [
    'a device of a disabled enrolment is refused, or its operation ends disabled; it is never assigned',
    'azure-docs',
    async (context) => {
      const dps = await dpsOf(context);
      const device = needed(context, dps.disabled, 'disabled');
      const shown = { token: tokenOf(dps, device) };
      const answer = await register(dps, device.registrationId, shown);
      if (answer.status === 401) return void expectDpsError(answer, 401);
      const { body, state } = await ended(dps, device.registrationId, shown);
      assert.equal(body['status'], 'disabled');
      assert.equal(state['assignedHub'], undefined);
    },
  ],
  'DPS-033': [
    'a token for the beginning of the resource, or for all registrations of the scope, is refused with 401',
    'spec',
    async (context) => {
      const { dps, device, id } = await keyed(context);
      for (const name of [`/${id.slice(0, -1)}`, '']) {
        const resource = `${dps.scopeId}/registrations${name}`;
        await refused(dps, id, sasToken({ resource, key: device.primaryKey, policy: 'registration' }));
      }
    },
  ],
});
