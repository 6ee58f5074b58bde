import { expect, test } from 'vitest';
import { moduleJson, readModuleBody } from './module-json.ts';

const body = (members: object) => JSON.stringify({ moduleId: 'm1', deviceId: 'Dev-01', ...members });

test('a module is written with every member of the service', () => {
  const authentication = { type: 'sas', primaryKey: 'cHA=', secondaryKey: 'c3M=' } as const;
  const module = { deviceId: 'd', moduleId: 'm', managedBy: null, authentication, generationId: '7', etag: 'ZTE=' };
  expect(moduleJson(module)).toEqual({
    moduleId: 'm',
    managedBy: null,
    deviceId: 'd',
    generationId: '7',
    etag: 'ZTE=',
    connectionState: 'Disconnected',
    connectionStateUpdatedTime: '0001-01-01T00:00:00',
    lastActivityTime: '0001-01-01T00:00:00',
    cloudToDeviceMessageCount: 0,
    authentication: {
      symmetricKey: { primaryKey: 'cHA=', secondaryKey: 'c3M=' },
      x509Thumbprint: { primaryThumbprint: null, secondaryThumbprint: null },
      type: 'sas',
    },
  });
});

test('the body of the reference client is read', () => {
  expect(readModuleBody(body({}), 'Dev-01', 'm1')).toEqual({});
  const authentication = { symmetricKey: { primaryKey: 'cA==', secondaryKey: 'cw==' }, type: 'sas' };
  expect(readModuleBody(body({ authentication, managedBy: 'me', more: 1 }), 'Dev-01', 'm1')).toEqual({
    managedBy: 'me',
    authentication: { type: 'sas', primaryKey: 'cA==', secondaryKey: 'cw==' },
  });
  expect(readModuleBody(body({ authentication: null, managedBy: null }), 'Dev-01', 'm1')).toEqual({ managedBy: null });
});

test.each([
  ['no JSON', '{'],
  ['no object', '[]'],
  ['nothing', ''],
  ['another module', JSON.stringify({ moduleId: 'm2', deviceId: 'Dev-01' })],
  ['another device', JSON.stringify({ moduleId: 'm1', deviceId: 'dev-01' })],
  ['no device', JSON.stringify({ moduleId: 'm1' })],
  ['a key that is no text', body({ authentication: { type: 'sas', symmetricKey: { primaryKey: 1 } } })],
  ['an unknown type', body({ authentication: { type: 'magic' } })],
  ['managedBy that is no text', body({ managedBy: 1 })],
])('a body with %s is refused', (_, text) => {
  expect(() => readModuleBody(text, 'Dev-01', 'm1')).toThrow(expect.objectContaining({ code: 'argumentInvalid' }));
});
