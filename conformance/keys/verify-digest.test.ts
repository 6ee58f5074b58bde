import { createHash, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { expect, test } from 'vitest';
import { verifiesDigest } from './verify-digest.ts';

test('a signature of node:crypto over the hashed message holds, and not over another digest', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const signature = sign('sha256', Buffer.from('hello'), privateKey);
  const key = createPublicKey(privateKey);
  expect(verifiesDigest(key, createHash('sha256').update('hello').digest(), signature)).toBe(true);
  expect(verifiesDigest(key, createHash('sha256').update('other').digest(), signature)).toBe(false);
});
