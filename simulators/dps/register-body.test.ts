import { expect, test } from 'vitest';
import { readRegisterBody } from './register-body.ts';

test('id and payload are read; the spelling of the id may differ from the path', () => {
  expect(readRegisterBody('{"registrationId":"Reg-01"}', 'reg-01')).toEqual({
    registrationId: 'Reg-01',
    payload: undefined,
  });
  expect(readRegisterBody('{"registrationId":"r","payload":{"a":[1]}}', 'r').payload).toEqual({ a: [1] });
  expect(readRegisterBody('{"registrationId":"r","payload":null}', 'r').payload).toBeNull();
});

test.each([
  ['no JSON', '{', 'r'],
  ['nothing', '', 'r'],
  ['no object', '["r"]', 'r'],
  ['null', 'null', 'r'],
  ['no id', '{"payload":1}', 'r'],
  ['another id', '{"registrationId":"q"}', 'r'],
  ['an id that ends in a dot', '{"registrationId":"r."}', 'r.'],
  ['an id with a blank', '{"registrationId":"r r"}', 'r r'],
  ['an id of 129 characters', `{"registrationId":"${'r'.repeat(129)}"}`, 'r'.repeat(129)],
])('a body with %s is refused', (_, text, pathId) => {
  expect(() => readRegisterBody(text, pathId)).toThrow(expect.objectContaining({ code: 'badRequest' }));
});
