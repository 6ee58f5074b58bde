import { expect, test } from 'vitest';
import { readDpsPath } from './path.ts';

test.each([
  [
    '/0ne00Test01/registrations/Reg-01/register',
    { kind: 'register', scopeId: '0ne00Test01', registrationId: 'Reg-01' },
  ],
  ['/s/registrations/a%3Ab/register', { kind: 'register', scopeId: 's', registrationId: 'a:b' }],
  [
    '/s/registrations/r/operations/5.a.b',
    { kind: 'operation', scopeId: 's', registrationId: 'r', operationId: '5.a.b' },
  ],
])('%s names its resource', (path, resource) => {
  expect(readDpsPath(path)).toEqual(resource);
});

test.each([
  '/',
  '/s',
  '/s/registrations/r',
  '/s/registrations//register',
  '/s/registrations/r/register/',
  '/s/registrations/r/register/x',
  '/s/registrations/r/operations',
  '/s/registrations/r/operations/',
  '/s/registrations/r/operations/o/x',
  '/s/elsewhere/r/register',
  '//registrations/r/register',
  's/registrations/r/register',
])('%j names nothing', (path) => {
  expect(readDpsPath(path)).toBeUndefined();
});
