import { expect, test } from 'vitest';
import { readHubPath } from './path.ts';

test.each([
  ['/devices/Dev-01/modules', { kind: 'modules', deviceId: 'Dev-01' }],
  ['/devices/Dev-01/modules/m1', { kind: 'module', deviceId: 'Dev-01', moduleId: 'm1' }],
  ['/devices/Dev-01/modules/', { kind: 'module', deviceId: 'Dev-01', moduleId: '' }],
  ['/devices/Dev-01/modules/a%3Db', { kind: 'module', deviceId: 'Dev-01', moduleId: 'a=b' }],
  ['/devices/Dev-01/modules/a%b', { kind: 'module', deviceId: 'Dev-01', moduleId: 'a%b' }],
  ['/devices/Dev-01/modules/a%2Fb', { kind: 'module', deviceId: 'Dev-01', moduleId: 'a/b' }],
  ['/devices/Dev-01/modules/%C3%A9', { kind: 'module', deviceId: 'Dev-01', moduleId: 'é' }],
  ['/devices/Dev-01/messages/events', { kind: 'device-events', deviceId: 'Dev-01' }],
  ['/devices/Dev-01/modules/m1/messages/events/', { kind: 'module-events', deviceId: 'Dev-01', moduleId: 'm1' }],
])('%s names its resource', (path, resource) => {
  expect(readHubPath(path)).toEqual(resource);
});

test.each([
  '/',
  '',
  '/devices',
  '/devices/',
  '/devices/Dev-01',
  '/devices/Dev-01/',
  '/devices//modules',
  '/devices/Dev-01/modules/a/b',
  '/devices/Dev-01/modules/m/messages',
  '/devices/Dev-01/modules/m/messages/events/x',
  '/devices/a/b/modules',
  '/x/modules',
  'devices/Dev-01/modules',
])('%j names nothing', (path) => {
  expect(readHubPath(path)).toBeUndefined();
});
