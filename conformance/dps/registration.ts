import assert from 'node:assert/strict';
import { expectAnswer, isText, needed, sasToken, send } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import { assigned, ended, keyed, operationOf, pathOf, poll, register, tokenOf, VERSION } from './device.ts';

export const registration = group('DPS registration', {
  'DPS-001': [
    'a registration by symmetric key is answered 202 with an operation id and status assigning',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const answer = await register(dps, id, shown);
      const body = expectAnswer(answer, 202);
      assert.ok(isText(operationOf(answer)));
      assert.equal(body['status'], 'assigning');
    },
  ],
  'DPS-002': [
    'a 202 says by Retry-After, in whole seconds, when to poll',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      assert.match(String((await register(dps, id, shown)).headers['retry-after']), /^\d+$/);
    },
  ],
  'DPS-003': [
    'the operation ends assigned, with hub and device',
    'azure-docs',
    async (context) => {
      const { dps, device, id, shown } = await keyed(context);
      const { body, state, operationId } = await ended(dps, id, shown);
      assert.equal(body['status'], 'assigned');
      assert.equal(body['operationId'], operationId);
      assert.ok(isText(state['assignedHub']), `assignedHub in ${JSON.stringify(state)}`);
      assert.equal(state['deviceId'], device.deviceId ?? id);
    },
  ],
  'DPS-004': [
    'the registration state names registration, status, substatus, times in UTC and etag',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const state = await assigned(dps, id, shown);
      assert.equal(String(state['registrationId']).toLowerCase(), id.toLowerCase());
      assert.equal(state['status'], 'assigned');
      const known = ['initialAssignment', 'deviceDataMigrated', 'deviceDataReset', 'reprovisionedToInitialAssignment'];
      assert.ok(known.includes(String(state['substatus'])), `substatus ${state['substatus']}`);
      for (const name of ['createdDateTimeUtc', 'lastUpdatedDateTimeUtc'])
        assert.match(String(state[name]), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/, name);
      assert.ok(isText(state['etag']), 'etag');
    },
  ],
  'DPS-005': [
    'the end of an operation can be asked for again',
    'spec',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const { operationId, body } = await ended(dps, id, shown);
      assert.deepEqual(expectAnswer(await poll(dps, id, operationId, shown), 200), body);
    },
  ],
  'DPS-006': [
    'each registration has an operation of its own',
    'spec',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const one = operationOf(await register(dps, id, shown));
      assert.notEqual(operationOf(await register(dps, id, shown)), one);
    },
  ],
  'DPS-007': [
    'the secondary key is as good as the primary',
    'azure-docs',
    async (context) => {
      const { dps, device, id } = await keyed(context);
      const primaryKey = needed(context, device.secondaryKey, 'symmetric.secondaryKey');
      await assigned(dps, id, { token: tokenOf(dps, { registrationId: id, primaryKey }) });
    },
  ],
  'DPS-008': [
    'a token counts whether its resource is unencoded, or encoded in lower or upper case, when signed as it stands',
    'sdk',
    async (context) => {
      const { dps, device, id } = await keyed(context);
      const plain = `${dps.scopeId}/registrations/${id}`;
      for (const resource of [plain, plain.replaceAll('/', '%2f'), plain.replaceAll('/', '%2F'), plain.toUpperCase()]) {
        const token = sasToken({ resource, key: device.primaryKey, policy: 'registration' });
        expectAnswer(await register(dps, id, { token }), 202, 200);
      }
    },
  ],
  'DPS-009': [
    'a registration id counts without regard to case',
    'azure-docs',
    async (context) => {
      const { dps, device, id, shown } = await keyed(context);
      const state = await assigned(dps, id.toUpperCase(), shown);
      assert.equal(state['deviceId'], device.deviceId ?? id);
    },
  ],
  'DPS-010': [
    'a payload of nested JSON is taken',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      expectAnswer(await register(dps, id, shown, { payload: { a: [1, { b: null }], ä: '€' } }), 202, 200);
    },
  ],
  'DPS-011': [
    'a payload of null counts as none, as Python sends it',
    'sdk',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      expectAnswer(await register(dps, id, shown, { payload: null }), 202, 200);
    },
  ],
  'DPS-012': [
    'a device that registers again stays the device that it was',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const one = await assigned(dps, id, shown);
      const two = await assigned(dps, id, shown);
      assert.deepEqual([two['assignedHub'], two['deviceId']], [one['assignedHub'], one['deviceId']]);
      assert.equal(two['createdDateTimeUtc'], one['createdDateTimeUtc']);
    },
  ],
  'DPS-013': [
    'the target of a request may have the absolute form (RFC 9112 3.2.2)',
    'spec',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const target = `https://${dps.hostName}${pathOf(dps, id)}/register?${VERSION}`;
      expectAnswer(await send(dps, { method: 'PUT', target, body: { registrationId: id }, ...shown }), 202, 200);
    },
  ],
  'DPS-014': [
    'a caller that speaks TLS 1.2 only is served, as Python does',
    'sdk',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const target = `${pathOf(dps, id)}/operations/none?${VERSION}`;
      const answer = await send(dps, { method: 'GET', target, maxVersion: 'TLSv1.2', ...shown });
      assert.equal(answer.status, 404);
    },
  ],
  'DPS-015': [
    'forceRegistration in the query is taken',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const target = `${pathOf(dps, id)}/register?${VERSION}&forceRegistration=true`;
      expectAnswer(await send(dps, { method: 'PUT', target, body: { registrationId: id }, ...shown }), 202, 200);
    },
  ],
  'DPS-016': [
    'while it is not done, an operation is answered 202 with Retry-After and status assigning',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const operationId = operationOf(await register(dps, id, shown));
      const answer = await poll(dps, id, operationId, shown);
      const body = expectAnswer(answer, 200, 202);
      if (body['status'] !== 'assigning') return context.skip('the service was done before it could be asked');
      assert.equal(answer.status, 202, 'status of an answer that says assigning');
      assert.equal(body['operationId'], operationId);
      assert.match(String(answer.headers['retry-after']), /^\d+$/);
    },
  ],
  'DPS-017': [
    'each answer has a request id of its own as x-ms-request-id',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const ask = async () => (await poll(dps, id, 'none', shown)).headers['x-ms-request-id'];
      const [one, other] = [await ask(), await ask()];
      assert.ok(isText(one) && isText(other), 'x-ms-request-id');
      assert.notEqual(one, other);
    },
  ],
});
