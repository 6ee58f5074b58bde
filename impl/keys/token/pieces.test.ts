import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compressPoint, ecdsaSignatureToDer, readDer } from '../der.ts';

describe('values of tokens', () => {
  it('KS-100: r ‖ s becomes the DER that OpenSSL takes', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (let round = 0; round < 64; round++) {
      const raw = sign('sha256', Buffer.from('x'), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      expect(verify('sha256', Buffer.from('x'), createPublicKey(privateKey), ecdsaSignatureToDer(raw))).toBe(true);
    }
    expect(ecdsaSignatureToDer(Buffer.alloc(64)).toString('hex')).toBe('3006020100020100');
    expect(() => ecdsaSignatureToDer(Buffer.alloc(63))).toThrow(/63 bytes/);
  });

  it('points are compressed', () => {
    const point = (last: number) => Buffer.from([4, ...Array.from({ length: 63 }, () => 7), last]);
    expect(compressPoint(point(3))[0]).toBe(3);
    expect(compressPoint(point(2))).toEqual(Buffer.from([2, ...Array.from({ length: 32 }, () => 7)]));
    expect(() => compressPoint(Buffer.of(5, 1))).toThrow(/unknown form/);
  });

  it('DER that is cut off is refused, never over-read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 12 }), (bytes) => {
        try {
          const { content, rest } = readDer(Buffer.from(bytes));
          expect(content.length + rest.length).toBeLessThan(bytes.length);
        } catch (error) {
          expect((error as Error).message).toMatch(/^DER: /);
        }
      }),
    );
  });
});
