import { expect, test } from 'vitest';
import { matchesEtag, readIfMatch } from './preconditions.ts';

test.each([
  [undefined, { kind: 'absent' }],
  ['*', { kind: 'any' }],
  ['"*"', { kind: 'any' }],
  ['"ZTE="', { kind: 'etag', etag: 'ZTE=' }],
  ['ZTE=', { kind: 'etag', etag: 'ZTE=' }],
  [' "ZTE=" ', { kind: 'etag', etag: 'ZTE=' }],
  ['', { kind: 'malformed' }],
  ['""', { kind: 'malformed' }],
  ['W/"ZTE="', { kind: 'malformed' }],
  ['"a", "b"', { kind: 'malformed' }],
])('If-Match %j', (header, expected) => {
  expect(readIfMatch(header)).toEqual(expected);
});

test('only the star and the current etag match', () => {
  expect(matchesEtag({ kind: 'any' }, 'a')).toBe(true);
  expect(matchesEtag({ kind: 'etag', etag: 'a' }, 'a')).toBe(true);
  expect(matchesEtag({ kind: 'etag', etag: 'b' }, 'a')).toBe(false);
  expect(matchesEtag({ kind: 'absent' }, 'a')).toBe(false);
  expect(matchesEtag({ kind: 'malformed' }, 'a')).toBe(false);
});
