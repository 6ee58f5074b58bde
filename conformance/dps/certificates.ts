import assert from 'node:assert/strict';
import { expectAnswer, expectDpsError, forged, needed, stranger } from '../azure/index.ts';
import { type Context, group } from '../runner/index.ts';
import { assigned, dpsOf, keyed, operationOf, poll, register } from './device.ts';

async function certified(context: Context) {
  const dps = await dpsOf(context);
  const client = needed(context, dps.x509, 'x509');
  return { dps, client, id: client.registrationId };
}

const leafOf = (certPem: string): string => /-----BEGIN[^-]+-----[^-]+-----END[^-]+-----\n?/.exec(certPem)?.[0] ?? '';

export const certificates = group('DPS certificates', {
  'DPS-050': [
    'a device is registered by its certificate alone, without Authorization',
    'azure-docs',
    async (context) => {
      const { dps, client, id } = await certified(context);
      const state = await assigned(dps, id, { client });
      assert.ok(typeof state['x509'] === 'object', `x509 in ${JSON.stringify(state)}`);
    },
  ],
  'DPS-051': [
    'a certificate whose common name is not the registration id is refused with 401',
    'azure-docs',
    async (context) => {
      const { dps, id } = await certified(context);
      const client = needed(context, dps.x509OtherName, 'x509OtherName');
      expectDpsError(await poll(dps, id, 'none', { client }), 401);
    },
  ],
  'DPS-052': [
    'a certificate of nobody that is enrolled is refused with 401, the common name right',
    'azure-docs',
    async (context) => {
      const { dps, id } = await certified(context);
      expectDpsError(await poll(dps, id, 'none', { client: await stranger(id) }), 401);
    },
  ],
  'DPS-053': [
    'a certificate that has expired is refused with 401',
    'azure-docs',
    async (context) => {
      const { dps, id } = await certified(context);
      const client = needed(context, dps.x509Expired, 'x509Expired');
      expectDpsError(await poll(dps, id, 'none', { client }), 401);
    },
  ],
  'DPS-054': [
    'who shows no certificate is refused with 401, to register and to poll',
    'azure-docs',
    async (context) => {
      const { dps, client, id } = await certified(context);
      const operationId = operationOf(await register(dps, id, { client }));
      expectDpsError(await poll(dps, id, operationId, {}), 401);
      expectDpsError(await register(dps, id, {}), 401);
    },
  ],
  'DPS-055': [
    'a device of a group shows every certificate between its own and the authority that is enrolled',
    'azure-docs',
    async (context) => {
      const dps = await dpsOf(context);
      const client = needed(context, dps.x509Group, 'x509Group');
      const state = await assigned(dps, client.registrationId, { client });
      assert.equal(state['deviceId'], client.registrationId);
    },
  ],
  'DPS-056': [
    'a device of a group that leaves an intermediate out is refused with 401',
    'azure-docs',
    async (context) => {
      const dps = await dpsOf(context);
      const { registrationId, certPem, keyPem } = needed(context, dps.x509Group, 'x509Group');
      const client = { certPem: leafOf(certPem), keyPem };
      expectDpsError(await poll(dps, registrationId, 'none', { client }), 401);
    },
  ],
  'DPS-057': [
    'a certificate does not stand in for the key of an enrolment by symmetric key',
    'spec',
    async (context) => {
      const { dps, client } = await certified(context);
      const { registrationId } = needed(context, dps.symmetric, 'symmetric');
      expectDpsError(await poll(dps, registrationId, 'none', { client }), 401);
    },
  ],
  'DPS-058': [
    'a certificate that a device of another kind has beside its token does no harm',
    'inferred',
    async (context) => {
      const { dps, client } = await certified(context);
      const { id, shown } = await keyed(context);
      const operationId = operationOf(await register(dps, id, { ...shown, client }));
      expectAnswer(await poll(dps, id, operationId, { ...shown, client }), 200, 202);
    },
  ],
  'DPS-059': [
    'an enrolment of one certificate takes that one, and no other of the same authority and name',
    'azure-docs',
    async (context) => {
      const dps = await dpsOf(context);
      const { reissued, ...client } = needed(context, dps.x509Leaf, 'x509Leaf');
      const id = client.registrationId;
      await assigned(dps, id, { client });
      const other = needed(context, reissued, 'x509Leaf.reissued');
      expectDpsError(await poll(dps, id, 'none', { client: other }), 401);
    },
  ],
  'DPS-090': [
    'a certificate whose issuer has the name of the authority and another key is refused with 401',
    'azure-docs',
    async (context) => {
      const { dps, client, id } = await certified(context);
      const forgery = await forged(id, client);
      expectDpsError(await poll(dps, id, 'none', { client: forgery }), 401);
      const group = needed(context, dps.x509Group, 'x509Group');
      const [, ...issuers] = group.certPem.split(/(?<=-----END CERTIFICATE-----\n)/);
      const { certPem, keyPem } = await forged(group.registrationId, group);
      const chained = { certPem: [certPem, ...issuers].join(''), keyPem };
      expectDpsError(await poll(dps, group.registrationId, 'none', { client: chained }), 401);
    },
  ],
});
