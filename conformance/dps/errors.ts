import assert from 'node:assert/strict';
import { expectDpsError, send } from '../azure/index.ts';
import { group } from '../runner/index.ts';
import { keyed, pathOf, poll, register, tokenOf, VERSION } from './device.ts';

const CLOCKS_APART_MS = 300_000;

export const errors = group('DPS errors', {
  'DPS-070': [
    'an error says errorCode (status × 1000 + detail), trackingId, message and timestampUtc as JSON',
    'azure-docs',
    async (context) => {
      const { dps, id } = await keyed(context);
      const body = expectDpsError(await poll(dps, id, 'none', {}), 401);
      assert.match(String(body['timestampUtc']), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/);
      const apart = Math.abs(Date.parse(String(body['timestampUtc'])) - Date.now());
      assert.ok(apart < CLOCKS_APART_MS, `timestampUtc is ${apart} ms away from the clock of this machine`);
    },
  ],
  'DPS-071': [
    'each answer has a tracking id of its own',
    'azure-docs',
    async (context) => {
      const { dps, id } = await keyed(context);
      const { trackingId } = expectDpsError(await poll(dps, id, 'none', {}), 401);
      assert.notEqual(expectDpsError(await poll(dps, id, 'none', {}), 401)['trackingId'], trackingId);
    },
  ],
  'DPS-072': [
    'an operation that is not there is 404',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      expectDpsError(await poll(dps, id, '4.0123456789abcdef.b1e02da8-0000-0000-0000-000000000000', shown), 404);
    },
  ],
  'DPS-073': [
    'a registration that nothing is enrolled for is 401 or 404',
    'azure-docs',
    async (context) => {
      const { dps, device } = await keyed(context);
      const registrationId = 'conformance-nobody';
      const token = tokenOf(dps, { registrationId, primaryKey: device.primaryKey });
      expectDpsError(await poll(dps, registrationId, 'none', { token }), 401, 404);
    },
  ],
  'DPS-074': [
    'a scope that is not there is 401 or 404',
    'azure-docs',
    async (context) => {
      const { dps, device, id } = await keyed(context);
      const elsewhere = { ...dps, scopeId: '0ne000000ff' };
      expectDpsError(await poll(elsewhere, id, 'none', { token: tokenOf(elsewhere, device) }), 401, 404);
    },
  ],
  'DPS-075': [
    'a body that names another registration than the path is refused with 400',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      expectDpsError(await register(dps, id, shown, { registrationId: `${id}x` }), 400);
    },
  ],
  'DPS-076': [
    'a body that is no JSON, no object, or names no registration is refused with 400',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const target = `${pathOf(dps, id)}/register?${VERSION}`;
      for (const body of ['{"registrationId":', `["${id}"]`, '{}', '{"registrationId":1}'])
        expectDpsError(await send(dps, { method: 'PUT', target, body, ...shown }), 400);
    },
  ],
  'DPS-077': [
    'an api-version that is missing or unknown is refused with 400',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      for (const query of ['', '?api-version=', '?api-version=1999-01-01'])
        expectDpsError(
          await send(dps, { method: 'GET', target: `${pathOf(dps, id)}/operations/none${query}`, ...shown }),
          400,
        );
    },
  ],
  'DPS-078': [
    'the versions of the SDKs are served: 2019-03-31 and 2021-10-01 beside 2021-06-01',
    'sdk',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      for (const version of ['2019-03-31', '2021-06-01', '2021-10-01']) {
        const target = `${pathOf(dps, id)}/operations/none?api-version=${version}`;
        expectDpsError(await send(dps, { method: 'GET', target, ...shown }), 404);
      }
    },
  ],
  'DPS-079': [
    'a path of nothing is 404',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      for (const target of [`/${dps.scopeId}/nothing`, `${pathOf(dps, id)}/register/more`])
        expectDpsError(await send(dps, { method: 'GET', target: `${target}?${VERSION}`, ...shown }), 404);
    },
  ],
  'DPS-080': [
    'a method that a path does not have is 405, or 404',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const target = `${pathOf(dps, id)}/register?${VERSION}`;
      expectDpsError(await send(dps, { method: 'GET', target, ...shown }), 405, 404);
    },
  ],
  'DPS-081': [
    'a body of another type than JSON is refused with 415, or 400',
    'azure-docs',
    async (context) => {
      const { dps, id, shown } = await keyed(context);
      const target = `${pathOf(dps, id)}/register?${VERSION}`;
      const headers = { 'content-type': 'text/plain' };
      const body = { registrationId: id };
      expectDpsError(await send(dps, { method: 'PUT', target, body, headers, ...shown }), 415, 400);
    },
  ],
  'DPS-082': [
    'a registration id with characters that are not allowed, or longer than 128, is refused with 400, 401 or 404',
    'azure-docs',
    async (context) => {
      const { dps, device } = await keyed(context);
      for (const id of ['a b', 'a/b', 'ends.', 'x'.repeat(129)]) {
        const token = tokenOf(dps, { registrationId: encodeURIComponent(id), primaryKey: device.primaryKey });
        expectDpsError(await register(dps, id, { token }), 400, 401, 404);
      }
    },
  ],
});
