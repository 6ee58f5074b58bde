import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readActivation } from './activation.ts';
import { ERROR_TABLE, isBase64, matchesIdPattern } from './index.ts';
import { parseStrictJson } from './strict-json.ts';

describe('id patterns', () => {
  it.each([
    ['test?', 'test1', true],
    ['test?', 'testé', true],
    ['test?', 'test', false],
    ['test?', 'test12', false],
    ['test*', 'test', true],
    ['test*', 'test/x', true],
    ['Test*', 'test1', false],
    ['', '', true],
    ['', 'a', false],
    ['*', '', true],
    ['*a*b', 'xaxbxb', true],
    ['a.c', 'abc', false],
    ['[ab]', 'a', false],
    ['?', '😀', true],
  ])('KS-031, CS-015, CS-016: %s against %s is %s', (pattern, id, fits) => {
    expect(matchesIdPattern(pattern, id)).toBe(fits);
  });

  it('agrees with the regular expression of the same meaning', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '*', '?', '/', 'é'), maxLength: 8 });
    fc.assert(
      fc.property(text, text, (pattern, id) => {
        const source = Array.from(pattern, (char) =>
          char === '*' ? '[\\s\\S]*' : char === '?' ? '[\\s\\S]' : char,
        ).join('');
        expect(matchesIdPattern(pattern, id)).toBe(new RegExp(`^${source}$`, 'u').test(id));
      }),
    );
  });

  it('does not blow up on many stars', () => {
    expect(matchesIdPattern(`${'*a'.repeat(50)}b`, 'a'.repeat(5000))).toBe(false);
  });
});

describe('strict JSON', () => {
  it('reads what JSON.parse reads when no member is given twice', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), (value) => {
        const text = JSON.stringify(value);
        expect(parseStrictJson(text)).toEqual(JSON.parse(text));
      }),
    );
  });

  it.each(['{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '[{"x":{"b":1,"b":1}}]', '{"a" :1, "a" :2}'])(
    'refuses %s',
    (text) => {
      expect(() => parseStrictJson(text)).toThrow('duplicate member');
    },
  );

  it.each(['{"a":{"a":1},"b":"a"}', '[{"a":1},{"a":1}]', '{"a":"a\\":","b":"{"}'])('takes %s', (text) => {
    expect(parseStrictJson(text)).toEqual(JSON.parse(text));
  });

  it('refuses deep nesting and never repeats the text', () => {
    expect(() => parseStrictJson('['.repeat(100_000))).toThrow('nested deeper');
    expect(() => parseStrictJson('{"key": secret')).not.toThrow(/secret/);
  });
});

describe('base64', () => {
  it('takes what Buffer writes and nothing near it', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        const text = Buffer.from(bytes).toString('base64');
        expect(isBase64(text)).toBe(true);
        if (text !== '') expect(isBase64(text.slice(0, -1))).toBe(false);
      }),
    );
    for (const wrong of ['QR==', 'QUJ=', 'Q', 'QQ', ' QQ==', 'QQ==\n', 'Q-_=']) expect(isBase64(wrong)).toBe(false);
  });
});

describe('socket activation', () => {
  it.each([
    ['TR-038 nothing set', {}, 'none'],
    ['TR-037 own pid, one socket', { LISTEN_PID: '7', LISTEN_FDS: '1' }, 'descriptor'],
    ['TR-038 another pid', { LISTEN_PID: '8', LISTEN_FDS: '1' }, 'none'],
    ['no count', { LISTEN_PID: '7' }, 'none'],
    ['zero', { LISTEN_PID: '7', LISTEN_FDS: '0' }, 'none'],
    ['two: none is asked for by name', { LISTEN_PID: '7', LISTEN_FDS: '2' }, 'none'],
  ])('%s', (_, env, kind) => {
    expect(readActivation(env, 7).kind).toBe(kind);
  });

  it.each([{ LISTEN_PID: 'x' }, { LISTEN_PID: '7', LISTEN_FDS: 'abc' }])('TR-039: %o cannot be read', (env) => {
    expect(() => readActivation(env, 7)).toThrow(/is not a number/);
  });
});

describe('error table', () => {
  it('docs/errors.md lists each row with its status and message, and no other', () => {
    const page = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
    const listed = page.split('\n').filter((line) => line.startsWith('| `'));
    const expected = Object.entries(ERROR_TABLE).map(
      ([code, row]) => `| \`${code}\` | ${row.status} | \`${row.message}\` | ${row.hint} |`,
    );
    expect(listed).toEqual(expected);
  });
});
