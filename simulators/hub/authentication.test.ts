import { describe, expect, test } from 'vitest';
import {
  completeAuthentication,
  InvalidAuthentication,
  isSymmetricKey,
  normaliseThumbprint,
} from './authentication.ts';

const bytes = (size: number) => Buffer.alloc(size, 7).toString('base64');

describe('symmetric keys', () => {
  test.each([16, 32, 64])('base64 of %i bytes is taken', (size) => {
    expect(isSymmetricKey(bytes(size))).toBe(true);
  });

  test.each([
    ['15 bytes', bytes(15)],
    ['65 bytes', bytes(65)],
    ['no text', ''],
    ['no padding', bytes(16).replaceAll('=', '')],
    ['URL alphabet', Buffer.alloc(32, 0xff).toString('base64url')],
    ['a blank', ` ${bytes(32)}`],
    ['loose bits in the last character', `${'A'.repeat(21)}B==`],
  ])('%s is refused', (_, text) => {
    expect(isSymmetricKey(text)).toBe(false);
  });
});

describe('thumbprints', () => {
  test('colons and case do not matter', () => {
    expect(normaliseThumbprint(`${'ab:'.repeat(19)}cd`)).toBe(`${'AB'.repeat(19)}CD`);
    expect(normaliseThumbprint('ab'.repeat(32))).toBe('AB'.repeat(32));
  });

  test.each(['', 'ab', 'zz'.repeat(20), 'ab'.repeat(16)])('%j is none', (text) => {
    expect(normaliseThumbprint(text)).toBeUndefined();
  });
});

describe('completing what a caller gave', () => {
  test('keys that are left out are made', () => {
    expect(completeAuthentication(undefined, undefined, () => bytes(32))).toEqual({
      type: 'sas',
      primaryKey: bytes(32),
      secondaryKey: bytes(32),
    });
  });

  test('an update keeps the key that it does not name', () => {
    const current = { type: 'sas', primaryKey: bytes(16), secondaryKey: bytes(17) } as const;
    const made = completeAuthentication({ type: 'sas', primaryKey: bytes(18) }, current, () => bytes(32));
    expect(made).toEqual({ type: 'sas', primaryKey: bytes(18), secondaryKey: bytes(17) });
  });

  test('a change of type does not keep keys', () => {
    const current = { type: 'certificateAuthority', caPem: ['x'] } as const;
    const made = completeAuthentication({ type: 'sas' }, { ...current, caPem: [...current.caPem] }, () => bytes(32));
    expect(made).toEqual({ type: 'sas', primaryKey: bytes(32), secondaryKey: bytes(32) });
  });

  test('a malformed key or thumbprint is refused', () => {
    const make = () => bytes(32);
    expect(() => completeAuthentication({ type: 'sas', secondaryKey: bytes(15) }, undefined, make)).toThrow(
      InvalidAuthentication,
    );
    expect(() => completeAuthentication({ type: 'selfSigned', primaryThumbprint: 'no' }, undefined, make)).toThrow(
      /primaryThumbprint/,
    );
    const authority = { type: 'certificateAuthority', caPem: ['x'] } as const;
    expect(() => completeAuthentication({ ...authority, caPem: [...authority.caPem] }, undefined, make)).toThrow(
      /caPem/,
    );
  });
});
