import { describe, expect, it } from 'vitest';
import { readEstPath } from './path.ts';

describe('EST paths', () => {
  it.each([
    ['/.well-known/est/cacerts', 'cacerts', undefined],
    ['/.well-known/est/device-ca/simpleenroll', 'simpleenroll', 'device-ca'],
    ['/some/prefix/simplereenroll', 'simplereenroll', undefined],
    ['/csrattrs', 'csrattrs', undefined],
  ])('%s → %s, label %s', (path, operation, label) => {
    expect(readEstPath(path)).toEqual({ operation, label });
  });

  it.each([
    ['an unknown operation', '/.well-known/est/enroll'],
    ['a doubled slash (EST-002)', '/.well-known/est//simpleenroll'],
    ['a slash at the end', '/.well-known/est/simpleenroll/'],
    ['a label that is an operation', '/.well-known/est/cacerts/simpleenroll'],
    ['another case', '/.well-known/est/SimpleEnroll'],
    ['no path', '*'],
  ])('%s → none', (_, path) => {
    expect(readEstPath(path)).toBeUndefined();
  });
});
